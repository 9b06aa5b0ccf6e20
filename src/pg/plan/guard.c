/*
 * guard.c - a column that lmtext keeps is not compared with an embedding of another version.
 *
 * The query is looked at before it is planned: afterwards a pinned embedding is a constant that
 * says nothing of its model. A comparison is any function or operator of two vectors that gives a
 * double precision, lmtext's or another type's. What a name means and what a job has done changes
 * without the query: plans that were looked at depend on the tables that say so (relationOids), and
 * are made anew, and looked at again, when those say something else.
 *
 * A session's first use of lmtext may load the library while its query is planned; the support
 * function of the distance then has the query looked at.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/planner.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/snapmgr.h"

#include "pg/catalog/names.h"
#include "pg/glue/expr.h"
#include "pg/glue/init_once.h"
#include "pg/glue/try.h"
#include "pg/plan/plan.h"
#include "pg/service/kept.h"
#include "pg/service/maps.h"
#include "pg/service/tasks.h"

enum { GUARD_OFF, GUARD_WARNING, GUARD_ERROR };

static const struct config_enum_entry guard_values[] = {
    {"error", GUARD_ERROR, false},
    {"warning", GUARD_WARNING, false},
    {"off", GUARD_OFF, false},
    {NULL, 0, false},
};

static int guard_setting = GUARD_ERROR;
static bool hooked = false;  /* a planning has begun with the hook */
static bool decided = false; /* a plan is what it is by the setting */
static planner_hook_type previous_planner = NULL;

/* One query that is looked at. */
typedef struct watch {
    ParamListInfo parameters;
    bool compares; /* a column with something that comes from lmtext */
    bool said;
    List *maps; /* their tables */
} watch;

/* A part of it. */
typedef struct place {
    watch *watch;
    const lmtext_scope *scope;
} place;

/* A map by its name. */
typedef struct map_inquiry {
    const char *name;
    lmtext_map_ends ends;
} map_inquiry;

static List *versions_of(watch *watch, const lmtext_source *source);
static void say_mapped(const map_inquiry *map, Oid version);

/* ---- Versions of both sides ---- */

static bool
known_value(Node *node, const ParamListInfo parameters, Const *value)
{
    ParamExternData space, *parameter;

    if (IsA(node, Const)) {
        *value = *(const Const *)node;
        return true;
    }
    if (!IsA(node, Param) || ((Param *)node)->paramkind != PARAM_EXTERN || parameters == NULL ||
        ((Param *)node)->paramid > parameters->numParams)
        return false;
    parameter = parameters->paramFetch != NULL
                    ? parameters->paramFetch(parameters, ((Param *)node)->paramid, true, &space)
                    : &parameters->params[((Param *)node)->paramid - 1];
    *value = (Const){.constvalue = parameter->value, .constisnull = parameter->isnull};
    return parameter->ptype == ((Param *)node)->paramtype;
}

/*
 * A value that is known before planning, of the type that the call takes: below a relabelling there
 * may be another, as the integer in 16384::regclass. False: it is not known, or is neither a name
 * nor a version. A null is given as well.
 */
static bool
known_name(Node *node, const ParamListInfo parameters, Const *value)
{
    Oid type = getBaseType(exprType(node));
    bool known;

    while (IsA(node, RelabelType))
        node = (Node *)((RelabelType *)node)->arg;
    known = known_value(node, parameters, value);
    value->consttype = type;
    return known && (type == REGCLASSOID || type == TEXTOID);
}

/* The version that a call embeds by, or InvalidOid where it is not known yet. */
static Oid
version_of_call(const watch *watch, const lmtext_source *source)
{
    Node *argument = lmtext_plan_argument(source->call->args, lmtext_entry_model(source->entry));
    Const value = {.constisnull = true};
    const char *name;

    if (argument != NULL && !known_name(argument, watch->parameters, &value))
        return InvalidOid;
    if (!value.constisnull && value.consttype == REGCLASSOID)
        return DatumGetObjectId(value.constvalue);
    name = value.constisnull ? lmtext_task_planned() : TextDatumGetCString(value.constvalue);
    return name[0] != '\0' ? lmtext_kept_named(name) : InvalidOid;
}

/* Which versions a map goes between, or that is not known. */
static void
find_map(void *argument)
{
    map_inquiry *asked = argument;

    asked->ends = lmtext_map_peek(asked->name);
}

static map_inquiry
map_of(watch *watch, const lmtext_source *source)
{
    Node *argument = lmtext_plan_argument(source->call->args, 1);
    MemoryContext caller = CurrentMemoryContext;
    map_inquiry asked = {0};
    Const value;

    if (argument == NULL || !known_name(argument, watch->parameters, &value) ||
        value.consttype != TEXTOID || value.constisnull)
        return asked;
    asked.name = TextDatumGetCString(value.constvalue);
    if (lmtext_try(find_map, &asked) != NULL)
        asked = (map_inquiry){0};
    MemoryContextSwitchTo(caller);
    if (OidIsValid(asked.ends.table))
        watch->maps = list_append_unique_oid(watch->maps, asked.ends.table);
    return asked;
}

/*
 * Two versions, one of each side, that differ. Triggers and jobs of one version may keep some rows
 * each, which a query can tell: one of them that matches is enough. A job that follows a model has
 * all rows of its versions.
 */
static bool
find_difference(const List *kept, const List *others, const lmtext_column_version **mine,
                const lmtext_column_version **yours)
{
    bool matches = false, follows = false;
    ListCell *one, *two;

    *mine = *yours = NULL;
    foreach (one, kept) {
        foreach (two, others) {
            const lmtext_column_version *a = lfirst(one), *b = lfirst(two);

            if (lmtext_kept_same(a->version, b->version)) {
                matches = true;
                continue;
            }
            follows |= a->keeper == LMTEXT_KEPT_FOLLOWING || b->keeper == LMTEXT_KEPT_FOLLOWING;
            if (*mine == NULL) {
                *mine = a;
                *yours = b;
            }
        }
    }
    return *mine != NULL && (follows || !matches);
}

/* What comes out of a map, if what goes into it is what it is for. */
static Oid
version_of_map(watch *watch, const lmtext_source *source)
{
    const map_inquiry map = map_of(watch, source);
    lmtext_column_version takes = {.version = map.ends.from};
    const lmtext_column_version *given, *wanted;
    ListCell *cell;

    foreach (cell, OidIsValid(takes.version) ? source->mapped : NIL)
        if (find_difference(versions_of(watch, lfirst(cell)), list_make1(&takes), &given, &wanted))
            say_mapped(&map, given->version);
    return map.ends.to;
}

static List *
versions_of(watch *watch, const lmtext_source *source)
{
    lmtext_column_version *one;

    if (source->call == NULL)
        return lmtext_kept_versions(source->relation, source->column);
    one = palloc0(sizeof(*one));
    one->version =
        source->entry != NULL ? version_of_call(watch, source) : version_of_map(watch, source);
    return OidIsValid(one->version) ? list_make1(one) : NIL;
}

/* ---- What is said ---- */

static char *
quoted(Oid version)
{
    return psprintf("\"%s\"", lmtext_catalog_display_name(version));
}

static int
keeper_detail(const lmtext_column_version *kept, bool mixed)
{
    static const char *const words[] = {
        [LMTEXT_KEPT_GENERATED] = "The column is generated.%s",
        [LMTEXT_KEPT_TRIGGER] = "Trigger \"%s\" keeps the column.",
        [LMTEXT_KEPT_JOB] = "Job \"%s\" keeps the column.",
        [LMTEXT_KEPT_FOLLOWING] = "Job \"%s\" keeps the column.",
    };
    const char *name = kept->name != NULL ? kept->name : "";
    char *said = psprintf(words[kept->keeper], name); /* NOLINT: a row for each keeper */

    return errdetail("%s %s", said,
                     mixed ? "Some of its rows are of one version, some of another."
                           : "Numbers that compare vectors of two versions mean nothing.");
}

static int
way_out(const lmtext_column_version *kept, bool mixed, Oid other, bool is_query)
{
    const char *name = quote_literal_cstr(lmtext_catalog_call_name(kept->version, true));

    if (!is_query)
        return errhint("Make both columns by one version.");
    if (kept->keeper == LMTEXT_KEPT_FOLLOWING && mixed)
        return errhint("When a run of the job has ended, it is one version: CALL "
                       "lmtext.run_job(%s).",
                       quote_literal_cstr(kept->name));
    if (kept->keeper == LMTEXT_KEPT_FOLLOWING && kept->next == other)
        return errhint("Embed by %s, or have the column made by %s: CALL lmtext.run_job(%s).", name,
                       quoted(other), quote_literal_cstr(kept->name));
    return errhint("Embed by %s, or have a column made by %s: a job into a new column, then "
                   "lmtext.switch_job.",
                   name, quoted(other));
}

static void
say(const lmtext_source *column, const lmtext_column_version *kept, bool mixed, Oid other,
    bool is_query)
{
    ereport(guard_setting == GUARD_ERROR ? ERROR : WARNING,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("column \"%s\" of \"%s\" has vectors of model %s, and is compared with one "
                    "of %s",
                    get_attname(column->relation, column->column, false),
                    get_rel_name(column->relation), quoted(kept->version), quoted(other)),
             keeper_detail(kept, mixed), way_out(kept, mixed, other, is_query)));
}

static void
say_mapped(const map_inquiry *map, Oid version)
{
    ereport(guard_setting == GUARD_ERROR ? ERROR : WARNING,
            (errcode(ERRCODE_DATATYPE_MISMATCH),
             errmsg("map \"%s\" takes vectors of model %s, not of %s", map->name,
                    quoted(map->ends.from), quoted(version)),
             errhint("Embed by %s, or fit another map with lmtext.map_vectors.",
                     quote_literal_cstr(lmtext_catalog_call_name(map->ends.from, true)))));
}

/* ---- Comparisons ---- */

static bool
is_mixed(const List *kept)
{
    ListCell *cell;

    foreach (cell, kept)
        if (((const lmtext_column_version *)lfirst(cell))->version !=
            ((const lmtext_column_version *)linitial(kept))->version)
            return true;
    return false;
}

static bool
differs(watch *watch, const lmtext_source *column, const lmtext_source *other)
{
    List *kept = versions_of(watch, column);
    const lmtext_column_version *mine, *yours;

    if (!find_difference(kept, versions_of(watch, other), &mine, &yours))
        return false;
    say(column, mine, is_mixed(kept), yours->version, other->call != NULL);
    return true;
}

/* As new as can be had: it may have waited for a lock of who changed the answer, and will run after
 * that. */
static bool
compare(watch *watch, const lmtext_source *a, const lmtext_source *b)
{
    Snapshot snapshot;
    bool said;

    if (a->call != NULL && b->call != NULL)
        return false;
    watch->compares = true;
    snapshot = lmtext_version_snapshot();
    PushActiveSnapshot(snapshot);
    said = a->call == NULL ? differs(watch, a, b) : differs(watch, b, a);
    PopActiveSnapshot();
    UnregisterSnapshot(snapshot);
    return said;
}

/* Is there a cast that is no detour by text? */
static bool
is_cast(Oid from, Oid to)
{
    Oid function;
    CoercionPathType path = find_coercion_pathway(to, from, COERCION_EXPLICIT, &function);

    return path != COERCION_PATH_NONE && path != COERCION_PATH_COERCEVIAIO;
}

/* May values of the type be vectors? Others, of which most comparisons are, end here. */
static bool
is_vector(Node *node)
{
    Oid type = exprType(node);

    return type == FLOAT4ARRAYOID ||
           (type >= FirstNormalObjectId &&
            (is_cast(FLOAT4ARRAYOID, type) || is_cast(type, FLOAT4ARRAYOID)));
}

static bool
judge(Node *left, Node *right, const place *at)
{
    List *lefts, *rights;
    ListCell *a, *b;

    if (!is_vector(left) || !is_vector(right))
        return false;
    lefts = lmtext_plan_sources(left, at->scope);
    rights = lmtext_plan_sources(right, at->scope);
    foreach (a, lefts)
        foreach (b, rights)
            if (compare(at->watch, lfirst(a), lfirst(b)))
                return true;
    return false;
}

static bool
find_comparison(Node *node, void *argument)
{
    const place *at = argument;
    List *arguments;

    if (node == NULL || at->watch->said)
        return false;
    if (IsA(node, Query)) {
        const lmtext_scope scope = {(Query *)node, at->scope};
        place inner = {at->watch, &scope};

        return query_tree_walker((Query *)node, find_comparison, &inner, QTW_IGNORE_JOINALIASES);
    }
    arguments = lmtext_call_arguments(node);
    if (list_length(arguments) == 2 && exprType(node) == FLOAT8OID)
        at->watch->said = judge(linitial(arguments), lsecond(arguments), at);
    return expression_tree_walker(node, find_comparison, argument);
}

/* Tables that the plan depends on, beside its own. */
static List *
look_at(Query *query, ParamListInfo parameters)
{
    watch watch = {.parameters = parameters};
    place whole = {&watch, NULL};

    if (guard_setting != GUARD_OFF)
        (void)find_comparison((Node *)query, &whole);
    decided |= watch.compares || guard_setting == GUARD_OFF;
    return watch.compares ? list_concat(lmtext_kept_sources(), watch.maps) : NIL;
}

/* ---- When ---- */

void
lmtext_guard_late(PlannerInfo *root)
{
    if (hooked || root == NULL)
        return;
    hooked = true;
    while (root->parent_root != NULL)
        root = root->parent_root;
    root->glob->relationOids = list_concat_unique_oid(
        root->glob->relationOids, look_at(root->parse, root->glob->boundParams));
}

static PlannedStmt *
plan_query(Query *query, const char *source, int options, ParamListInfo parameters)
{
    List *tables;
    PlannedStmt *statement;

    hooked = true;
    tables = look_at(query, parameters);
    statement = previous_planner != NULL ? previous_planner(query, source, options, parameters)
                                         : standard_planner(query, source, options, parameters);
    statement->relationOids = list_concat_unique_oid(statement->relationOids, tables);
    return statement;
}

/* Plans that were made under another setting are made anew. */
static void
assign_guard(int value, void *extra)
{
    if (decided && value != guard_setting)
        ResetPlanCache();
}

void
lmtext_guard_init(void)
{
    LMTEXT_SETTING(
        Enum, "lmtext.version_guard",
        "Sets what is done where a column that lmtext keeps is compared with an embedding of "
        "another model version.",
        NULL, &guard_setting, GUARD_ERROR, guard_values, PGC_USERSET, 0, NULL, assign_guard, NULL);
    LMTEXT_HOOK(planner_hook, previous_planner, plan_query);
}
