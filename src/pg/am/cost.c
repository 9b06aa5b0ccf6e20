/*
 * cost.c - what a scan costs, and when there is none.
 *
 * An index serves one thing, the rows in the order of a distance from something. On text the
 * operator computes with the model that lmtext.embedding_model means; an index of another version
 * has other distances and is no index for it. Such a plan is none, not a dear one: it would be
 * taken where all others are disabled. A plan depends on the setting, whose change drops the
 * session's plans, and on the tables that say what it means.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_type_d.h"
#include "nodes/pathnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/array.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/spccache.h"
#include "utils/syscache.h"

#include "pg/am/search.h"
#include "pg/am/words.h"
#include "pg/service/kept.h"
#include "pg/service/tasks.h"
#include "search/index_plan.h"

/* Parts of cpu_operator_cost, by measure (bench/index_cost.sql): a number of a code, and of an int8
 * vector; and a row that is returned, for which two or three are decided on, in pages that are
 * looked up one by one. */
#define CODE_NUMBER (1.0 / 3200)
#define INT8_NUMBER (1.0 / 300)
#define RETURNED_ROW 200
/* Rows that are decided on for one that is returned: each round is four times as large as the last.
 */
#define DECIDED 4
/* The same (bench/filter_scan.sql): a row of the index, is it at a place that a filter leaves? And
 * one that is, whose vector is in a page that is looked up for it. */
#define PLACE_TESTED .5
#define RANKED_ROW 80
#define USUAL_WIDTH 384
#define VECTOR_HEAD 32 /* bytes of a row beside the numbers of its int8 vector */
#define WORDS_ROW .05  /* a row of the table, some of which have a word */

/* Is the index of the model that the operator computes with? */
static bool
is_of_operators_model(PlannerInfo *root, Oid index)
{
    Oid version = lmtext_index_peek_version(index);
    const char *name = lmtext_task_planned();
    Oid operators = name[0] != '\0' ? lmtext_kept_named(name) : InvalidOid;

    root->glob->relationOids =
        list_concat_unique_oid(root->glob->relationOids, lmtext_kept_sources());
    if (OidIsValid(version))
        root->glob->relationOids = list_append_unique_oid(root->glob->relationOids, version);
    return OidIsValid(version) && OidIsValid(operators) && lmtext_on_long() == LM_LONG_TRUNCATE &&
           lmtext_kept_same(version, operators);
}

static bool
is_not_null_column(PlannerInfo *root, const IndexOptInfo *index)
{
    AttrNumber column = (AttrNumber)index->indexkeys[0];
#if PG_VERSION_NUM >= 170000
    return bms_is_member(column, index->rel->notnullattnums);
#else
    HeapTuple tuple =
        SearchSysCache2(ATTNUM, ObjectIdGetDatum(planner_rt_fetch(index->rel->relid, root)->relid),
                        Int16GetDatum(column));
    bool is = HeapTupleIsValid(tuple) && ((Form_pg_attribute)GETSTRUCT(tuple))->attnotnull;

    if (HeapTupleIsValid(tuple))
        ReleaseSysCache(tuple);
    return is;
#endif
}

static bool
says_not_null(const Node *clause, const Node *value)
{
    const NullTest *test = (const NullTest *)clause;

    return IsA(clause, NullTest) && test->nulltesttype == IS_NOT_NULL && !test->argisrow &&
           equal(test->arg, value);
}

/*
 * Rows without a value are in no index. They come last, so a LIMIT seldom wants them; who asks for
 * all rows gets them, by sorting, unless there can be none.
 */
static bool
has_all_rows(PlannerInfo *root, const IndexOptInfo *index)
{
    const Node *value = (const Node *)linitial_node(TargetEntry, index->indextlist)->expr;
    ListCell *cell;

    if (root->limit_tuples > 0 || is_not_null_column(root, index))
        return true;
    foreach (cell, index->rel->baserestrictinfo)
        if (says_not_null((const Node *)lfirst_node(RestrictInfo, cell)->clause, value))
            return true;
    foreach (cell, index->indpred)
        if (says_not_null(lfirst(cell), value))
            return true;
    return false;
}

static bool
is_by_words(const IndexPath *path)
{
    const OpExpr *order = linitial(path->indexorderbys);

    return IsA(order, OpExpr) && get_opfamily_member(path->indexinfo->opfamily[0], TEXTOID, TEXTOID,
                                                     LMTEXT_WORDS_STRATEGY) == order->opno;
}

/* Does <@> compute by this index? */
static bool
is_of_words(const IndexPath *path)
{
    const OpExpr *order = linitial(path->indexorderbys);

    return lmtext_words_bound_to(llast(order->args), path->indexinfo->indexoid);
}

/* Few pages, and some rows of them: lists of words are short beside the table. */
static void
cost_words(const IndexPath *path, Cost *startup, Cost *total, double *pages)
{
    double rows = Max(path->indexinfo->tuples, 1);

    *startup = rows * WORDS_ROW * cpu_operator_cost;
    *total = *startup + rows * cpu_index_tuple_cost;
    *pages = Min(path->indexinfo->pages, 30);
}

static bool
is_usable(PlannerInfo *root, const IndexPath *path)
{
    if (path->indexorderbys == NIL || path->indexinfo->hypothetical ||
        !has_all_rows(root, path->indexinfo))
        return false;
    if (is_by_words(path))
        return is_of_words(path);
    return path->indexinfo->opcintype[0] != TEXTOID ||
           is_of_operators_model(root, path->indexinfo->indexoid);
}

/* No path at all, as far as this function can say so. */
static void
refuse(IndexPath *path, Cost *startup, Cost *total, double *pages)
{
    *startup = *total = get_float8_infinity();
    *pages = 0;
#if PG_VERSION_NUM >= 180000
    path->path.disabled_nodes = 2;
#endif
}

/* Numbers of a vector, by the statistics of a column of real[]. What is stored elsewhere is as long
 * as the pointer to it. */
static double
width_of(const IndexOptInfo *index)
{
    const RelOptInfo *rel = index->rel;
    int column = index->indexkeys[0];
    double bytes = column > 0 && index->opcintype[0] == FLOAT4ARRAYOID
                       ? rel->attr_widths[column - rel->min_attr]
                       : 0;
    double width = (bytes - ARR_OVERHEAD_NONULLS(1)) / sizeof(float);

    return width >= 1 ? width : USUAL_WIDTH;
}

static double
vector_pages(const IndexOptInfo *index)
{
    return ceil(Max(index->tuples, 1) * (width_of(index) + VECTOR_HEAD) / BLCKSZ);
}

/*
 * Pages of the vectors of so many rows, of one list after the other: the more of them the less
 * each, as in a bitmap heap scan. Pages of codes cost none, as the upper pages of other indexes:
 * each scan needs them.
 */
static Cost
cost_vectors(PlannerInfo *root, const IndexOptInfo *index, double rows)
{
    double all = vector_pages(index), random_page, next_page;
    double pages = Min(index_pages_fetched(rows, (BlockNumber)all, index->pages, root), all);

    get_tablespace_page_costs(index->reltablespace, &random_page, &next_page);
    return pages * (random_page - (random_page - next_page) * sqrt(pages / all));
}

/* Rows that are decided on: as many as the first round takes, or what a LIMIT wants above a filter
 * takes of further ones. */
static double
rows_decided(const PlannerInfo *root, const IndexOptInfo *index, double first)
{
    const RelOptInfo *rel = index->rel;
    double passing = Max(rel->rows, 1) / Max(rel->tuples, 1);
    double wanted = root->limit_tuples > 0 ? root->limit_tuples / passing * DECIDED : 0;

    return Min(Max(first, wanted), Max(index->tuples, 1));
}

/*
 * The first row costs the search, each further one its share of the rounds that follow: all rows
 * cost a look at every vector.
 */
void
lmtext_am_cost(PlannerInfo *root, IndexPath *path, double loops, Cost *startup, Cost *total,
               Selectivity *selectivity, double *correlation, double *pages)
{
    const IndexOptInfo *index = path->indexinfo;
    double rows = Max(index->tuples, 1), width = width_of(index), lists, share;
    lm_search_plan plan;

    *selectivity = 1;
    *correlation = 0;
    if (!is_usable(root, path)) {
        refuse(path, startup, total, pages);
        return;
    }
    if (is_by_words(path)) {
        cost_words(path, startup, total, pages);
        return;
    }
    lists = lm_plan_lists((uint64)rows);
    plan = lm_plan_search((uint64)rows, (size_t)lists, 10, lmtext_search_effort);
    share = Min(plan.probes / lists, 1);
    *startup =
        rows * share * width * CODE_NUMBER * cpu_operator_cost +
        (plan.rerank + (lists > 1 ? lists / 4 : 0)) * width * INT8_NUMBER * cpu_operator_cost +
        cost_vectors(root, index, rows_decided(root, index, plan.rerank));
    *total = *startup + rows * (width * INT8_NUMBER + RETURNED_ROW) * cpu_operator_cost +
             cost_vectors(root, index, rows);
    *pages = index->pages * share;
}

bool
lmtext_cost_is_by_distance(const Path *path)
{
    const IndexPath *scan = (const IndexPath *)path;

    return IsA(path, IndexPath) && scan->indexinfo->amcostestimate == lmtext_am_cost &&
           scan->indexorderbys != NIL && !is_by_words(scan) && isfinite(path->total_cost);
}

/* Rows of the index that are compared with the places, where that costs less than the texts. */
static double
tests_of(const IndexOptInfo *index, double found)
{
    double rows = Max(index->tuples, 1);

    return index->opcintype[0] == TEXTOID && index->indpred == NIL
               ? Min(rows, found * LMTEXT_PLACES_A_TEXT)
               : rows;
}

/*
 * At once: the places, a look at each row of the index, and the vectors of those that are there,
 * in pages that are read as the table's would be.
 * What is returned is read from the table as an index scan reads it.
 */
void
lmtext_cost_filter(PlannerInfo *root, const IndexPath *order, Path *bitmap, Path *path)
{
    const IndexOptInfo *index = order->indexinfo;
    const RelOptInfo *rel = index->rel;
    double found, pages, random_page, next_page;
    Selectivity share;
    Cost bitmap_cost;

    cost_bitmap_tree_node(bitmap, &bitmap_cost, &share);
    found = clamp_row_est(share * rel->tuples);
    pages = index_pages_fetched(found, rel->pages, index->pages, root);
    get_tablespace_page_costs(rel->reltablespace, &random_page, &next_page);
    path->rows = order->path.rows;
    path->startup_cost = bitmap_cost + rel->baserestrictcost.startup +
                         path->pathtarget->cost.startup + cost_vectors(root, index, found) +
                         (tests_of(index, found) * PLACE_TESTED +
                          found * (width_of(index) * INT8_NUMBER + RANKED_ROW)) *
                             cpu_operator_cost;
    path->total_cost = path->startup_cost + pages * random_page +
                       found * (cpu_tuple_cost + rel->baserestrictcost.per_tuple) +
                       path->rows * path->pathtarget->cost.per_tuple;
}
