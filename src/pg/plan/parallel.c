/*
 * parallel.c - a partial path for every scan that lmtext's calls dominate.
 *
 * PostgreSQL counts workers by the pages of the heap, and a table whose texts are TOASTed has few.
 * Here they are counted by what the calls cost; the planner then compares the plans as it always
 * does. max_parallel_workers_per_gather, parallel safety and the reloption parallel_workers rule.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "nodes/bitmapset.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "storage/bufmgr.h"
#include "utils/rel.h"

#include "pg/glue/init_once.h"
#include "pg/plan/plan.h"

/* A worker is worth its start when it saves this many times what that costs. */
#define SETUPS_PER_WORKER 2.0

static set_rel_pathlist_hook_type previous_hook = NULL;

/* consider_parallel is false as well where the statement or the settings allow no worker. */
static bool
may_scan_parallel(const RelOptInfo *rel, const RangeTblEntry *entry)
{
    return entry->rtekind == RTE_RELATION && !entry->inh && entry->tablesample == NULL &&
           (entry->relkind == RELKIND_RELATION || entry->relkind == RELKIND_MATVIEW) &&
           rel->consider_parallel && rel->lateral_relids == NULL && rel->rel_parallel_workers == -1;
}

/* Cost for each row of the set-returning functions in FROM that read this relation. */
static Cost
functions_cost(PlannerInfo *root, Relids relids)
{
    Cost cost = 0.0;
    int i;

    for (i = 1; i < root->simple_rel_array_size; i++) {
        RangeTblEntry *entry = root->simple_rte_array[i];

        if (entry != NULL && entry->rtekind == RTE_FUNCTION)
            cost += lmtext_plan_calls_cost(root, (Node *)entry->functions, relids);
    }
    return cost;
}

/* Cost of the calls that read this relation, over all its rows: in WHERE, and above the scan. */
static Cost
calls_cost(PlannerInfo *root, RelOptInfo *rel)
{
    Relids relids = rel->top_parent_relids ? rel->top_parent_relids : rel->relids;
    Cost cost = lmtext_plan_calls_cost(root, (Node *)root->processed_tlist, relids);
    ListCell *cell;

    cost = rel->rows * (cost + functions_cost(root, relids));
    foreach (cell, rel->baserestrictinfo) {
        RestrictInfo *restriction = lfirst_node(RestrictInfo, cell);

        cost += rel->tuples * lmtext_plan_calls_cost(root, (Node *)restriction->clause, NULL);
    }
    return cost;
}

/*
 * Pages are what a parallel scan hands out: a table of one page keeps one process busy, the leader.
 * Counted, because the planner takes a table that was never vacuumed for ten.
 */
static double
most_workers(RangeTblEntry *entry)
{
    Relation relation = table_open(entry->relid, NoLock); /* the planner has locked it */
    BlockNumber pages = RelationGetNumberOfBlocks(relation);

    table_close(relation, NoLock);
    return pages > 0 ? pages - 1.0 : 0.0;
}

static int
workers_for(RangeTblEntry *entry, Cost cost)
{
    double workers = cost / (SETUPS_PER_WORKER * Max(parallel_setup_cost, 1.0));

    workers = Min(workers, max_parallel_workers_per_gather);
    return workers < 1.0 ? 0 : (int)Min(workers, most_workers(entry));
}

static int
planned_workers(RelOptInfo *rel)
{
    int workers = 0;
    ListCell *cell;

    foreach (cell, rel->partial_pathlist)
        workers = Max(workers, ((Path *)lfirst(cell))->parallel_workers);
    return workers;
}

static void
add_parallel_scan(PlannerInfo *root, RelOptInfo *rel, Index rti, RangeTblEntry *entry)
{
    int workers;

    if (previous_hook)
        previous_hook(root, rel, rti, entry);
    if (!may_scan_parallel(rel, entry))
        return;
    workers = workers_for(entry, calls_cost(root, rel));
    LMTEXT_FAULT_POINT("workers_counted");
    if (workers > planned_workers(rel))
        add_partial_path(rel, create_seqscan_path(root, rel, NULL, workers));
}

void
lmtext_parallel_init(void)
{
    LMTEXT_HOOK(set_rel_pathlist_hook, previous_hook, add_parallel_scan);
}
