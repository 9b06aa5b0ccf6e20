/*
 * filter.c - a path for WHERE section = 'graphics' ORDER BY body <=> 'words': other indexes say
 * which rows there may be, and this one ranks them by their vectors.
 *
 * An index scan by distance meets the rows of a filter by chance, and one of a hundred late. Here a
 * bitmap of places comes first, as for a bitmap heap scan, and the scan of the index looks at no
 * other rows: no code decides, each row has its int8 distance, and there is one round. Both are
 * PostgreSQL's nodes, so that conditions, their order by security barriers, runtime keys, rows that
 * are tried again and privileges are what they are in an index scan.
 *
 * Offered where the planner has a path by distance already (cost.c has refused it if the model is
 * another one), so a plan depends on the same things.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "nodes/extensible.h"
#include "optimizer/cost.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "utils/guc.h"

#include "pg/am/filter.h"
#include "pg/am/index.h"
#include "pg/glue/init_once.h"

static set_rel_pathlist_hook_type previous_hook = NULL;
static bool enabled = true;

static Plan *make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *targetlist,
                       List *clauses, List *plans);

static const CustomPathMethods path_methods = {"LmtextFilter", make_plan};

/* ---- The plan ---- */

/* The bitmap comes with the heap scan that the planner knows it by. */
static Plan *
make_plan(PlannerInfo *root, RelOptInfo *rel, CustomPath *path, List *targetlist, List *clauses,
          List *plans)
{
    const IndexPath *order = linitial_node(IndexPath, path->custom_paths);

    return lmtext_filter_node(targetlist, linitial(plans), outerPlan(lsecond(plans)),
                              order->indexinfo->indpred == NIL);
}

/* ---- Its parts ---- */

/* Such a clause is checked once, in a node of its own above a scan: it would come between. */
static bool
has_constant_clause(const RelOptInfo *rel)
{
    ListCell *cell;

    foreach (cell, rel->baserestrictinfo)
        if (lfirst_node(RestrictInfo, cell)->pseudoconstant)
            return true;
    return false;
}

static bool
may_filter(const RelOptInfo *rel, const RangeTblEntry *entry)
{
    return enabled && enable_indexscan && rel->indexlist != NIL && rel->baserestrictinfo != NIL &&
           entry->rtekind == RTE_RELATION && !entry->inh && entry->tablesample == NULL &&
           rel->lateral_relids == NULL && !has_constant_clause(rel);
}

static IndexPath *
path_by_distance(const RelOptInfo *rel)
{
    ListCell *cell;

    foreach (cell, rel->pathlist)
        if (lmtext_cost_is_by_distance(lfirst(cell)) && ((Path *)lfirst(cell))->param_info == NULL)
            return lfirst(cell);
    return NULL;
}

/* Of indexes that give bitmaps, and of the table's own clauses. What is found for the table itself
 * may have been dropped for a scan of all rows, which costs no distance yet. */
static List *
paths_of_clauses(PlannerInfo *root, const RelOptInfo *rel)
{
    RelOptInfo *alone = makeNode(RelOptInfo);
    ListCell *cell;

    *alone = *rel;
    alone->pathlist = alone->partial_pathlist = alone->indexlist = alone->joininfo = NIL;
    alone->consider_parallel = alone->has_eclass_joins = false;
    foreach (cell, rel->indexlist)
        if (lfirst_node(IndexOptInfo, cell)->amhasgetbitmap)
            alone->indexlist = lappend(alone->indexlist, lfirst(cell));
    create_index_paths(root, alone);
    return alone->pathlist;
}

/* NULL: a path that leaves no row out. */
static Path *
bitmap_of(Path *path)
{
    const IndexPath *scan = (const IndexPath *)path;

    if (path->param_info != NULL)
        return NULL;
    if (IsA(path, BitmapHeapPath))
        return ((BitmapHeapPath *)path)->bitmapqual;
    return IsA(path, IndexPath) && scan->indexorderbys == NIL &&
                   (scan->indexclauses != NIL || scan->indexinfo->indpred != NIL)
               ? path
               : NULL;
}

/* ---- The path ---- */

static CustomPath *
make_path(PlannerInfo *root, RelOptInfo *rel, IndexPath *order, Path *bitmap)
{
    CustomPath *path = makeNode(CustomPath);

    path->path.pathtype = T_CustomScan;
    path->path.parent = rel;
    path->path.pathtarget = rel->reltarget;
    path->path.pathkeys = order->path.pathkeys;
    path->custom_paths =
        list_make2(order, create_bitmap_heap_path(root, rel, bitmap, NULL, 1.0, 0));
    path->methods = &path_methods;
    lmtext_cost_filter(root, order, bitmap, &path->path);
    return path;
}

static void
offer_path(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *entry)
{
    IndexPath *order;
    ListCell *cell;

    if (previous_hook)
        previous_hook(root, rel, rti, entry);
    if (!may_filter(rel, entry))
        return;
    order = path_by_distance(rel);
    if (order == NULL)
        return;
    foreach (cell, paths_of_clauses(root, rel)) {
        Path *bitmap = bitmap_of(lfirst(cell));

        if (bitmap != NULL)
            add_path(rel, (Path *)make_path(root, rel, order, bitmap));
    }
}

void
lmtext_filter_init(void)
{
    LMTEXT_SETTING(Bool, "lmtext.enable_filter_scan",
                   "Enables plans that rank the rows of a filter by an index of method lmtext.",
                   "Other indexes say which rows these are.", &enabled, true, PGC_USERSET,
                   GUC_EXPLAIN, NULL, NULL, NULL);
    lmtext_filter_node_init();
    LMTEXT_HOOK(set_rel_pathlist_hook, previous_hook, offer_path);
}
