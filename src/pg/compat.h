/*
 * compat.h - every difference between PostgreSQL versions that lmtext meets (15 to 18).
 */
#ifndef LMTEXT_COMPAT_H
#define LMTEXT_COMPAT_H

#include "postgres.h"
#include "fmgr.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM < 150000
#error "lmtext needs PostgreSQL 15 or newer"
#endif

/* Number of the top-level transaction in this backend (include storage/proc.h). */
#if PG_VERSION_NUM >= 170000
#define LMTEXT_LXID (MyProc->vxid.lxid)
#else
#define LMTEXT_LXID (MyProc->lxid)
#endif

/* Which file a relation is (include utils/rel.h). */
#if PG_VERSION_NUM >= 160000
#define LMTEXT_LOCATOR(relation) ((relation)->rd_locator)
#else
#define LMTEXT_LOCATOR(relation) ((relation)->rd_node)
#endif

/* Relations that EXPLAIN tells apart: since 18 a grouping has an entry of its own among them. */
#if PG_VERSION_NUM >= 180000
#define LMTEXT_EXPLAINED(es) ((es)->rtable_size)
#else
#define LMTEXT_EXPLAINED(es) list_length((es)->rtable)
#endif

/* 15 exports the info record of a SQL function, but not the function. */
#if PG_VERSION_NUM < 160000
#undef PG_FUNCTION_INFO_V1
#define PG_FUNCTION_INFO_V1(funcname)                                               \
    extern PGDLLEXPORT Datum funcname(PG_FUNCTION_ARGS);                            \
    extern PGDLLEXPORT const Pg_finfo_record *CppConcat(pg_finfo_, funcname)(void); \
    const Pg_finfo_record *CppConcat(pg_finfo_, funcname)(void)                     \
    {                                                                               \
        static const Pg_finfo_record info = {1};                                    \
        return &info;                                                               \
    }                                                                               \
    extern int no_such_variable
#endif

/* Since 16 ownership names the catalog, and names are parsed with soft errors. */
#if PG_VERSION_NUM >= 160000
#define LMTEXT_OWNS_TABLE(relid, role) object_ownercheck(RelationRelationId, relid, role)
#define LMTEXT_OWNS_SCHEMA(schema, role) object_ownercheck(NamespaceRelationId, schema, role)
#define LMTEXT_MAY_BECOME(role, other) member_can_set_role(role, other)
#define LMTEXT_MAY_CREATE_IN(schema, role) \
    (object_aclcheck(NamespaceRelationId, schema, role, ACL_CREATE) == ACLCHECK_OK)
#define LMTEXT_QUALIFIED_NAMES(string) stringToQualifiedNameList(string, NULL)
#else
#define LMTEXT_OWNS_TABLE(relid, role) pg_class_ownercheck(relid, role)
#define LMTEXT_OWNS_SCHEMA(schema, role) pg_namespace_ownercheck(schema, role)
#define LMTEXT_MAY_BECOME(role, other) is_member_of_role(role, other)
#define LMTEXT_MAY_CREATE_IN(schema, role) \
    (pg_namespace_aclcheck(schema, role, ACL_CREATE) == ACLCHECK_OK)
#define LMTEXT_QUALIFIED_NAMES(string) stringToQualifiedNameList(string)
#endif

/* Until the nest level of settings ends (include utils/guc.h). */
#if PG_VERSION_NUM >= 170000
#define LMTEXT_RESTRICT_SEARCH_PATH() RestrictSearchPath()
#else
#define LMTEXT_RESTRICT_SEARCH_PATH()                                                          \
    ((void)set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, \
                             GUC_ACTION_SAVE, true, 0, false))
#endif

/* repalloc of any size; without memory it gives NULL, and the block stays. 15 can only throw. */
static inline void *
lmtext_repalloc(void *pointer, Size size)
{
#if PG_VERSION_NUM >= 160000
    return repalloc_extended(pointer, size, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
#else
    MemoryContext caller = CurrentMemoryContext;
    void *volatile moved = NULL;

    PG_TRY();
    {
        moved = repalloc_huge(pointer, size);
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        FlushErrorState();
    }
    PG_END_TRY();
    return moved;
#endif
}

/* A wait of an extension has a name of its own since 17; the number is the same in all processes.
 */
#if PG_VERSION_NUM >= 170000
#define LMTEXT_WAIT_EVENT(name) WaitEventExtensionNew(name)
#else
#define LMTEXT_WAIT_EVENT(name) ((void)(name), PG_WAIT_EXTENSION)
#endif

/* The read of a page that failed: since 16 its resource owner knows it. Whoever wants the buffer
 * would wait for it for ever (include storage/bufmgr.h). */
#if PG_VERSION_NUM >= 160000
#define LMTEXT_ABORT_BUFFER_IO() ((void)0)
#else
#define LMTEXT_ABORT_BUFFER_IO() AbortBufferIO()
#endif

/* Another file for the copy of a relation's descriptor. */
#if PG_VERSION_NUM >= 160000
#define LMTEXT_SET_FILE(relation, tablespace, file) \
    ((relation)->rd_locator.spcOid = (tablespace), (relation)->rd_locator.relNumber = (file))
#else
#define LMTEXT_SET_FILE(relation, tablespace, file) \
    ((relation)->rd_node.spcNode = (tablespace), (relation)->rd_node.relNode = (file))
#endif

/* A portal to its end, without results (include tcop/pquery.h). */
#if PG_VERSION_NUM >= 180000
#define LMTEXT_RUN_PORTAL(portal) \
    PortalRun(portal, FETCH_ALL, true, None_Receiver, None_Receiver, NULL)
#else
#define LMTEXT_RUN_PORTAL(portal) \
    PortalRun(portal, FETCH_ALL, true, true, None_Receiver, None_Receiver, NULL)
#endif

/* A worker's session as a role that may not log in (include postmaster/bgworker.h); before 17 none.
 */
#if PG_VERSION_NUM >= 170000
#define LMTEXT_BYPASS_LOGIN BGWORKER_BYPASS_ROLELOGINCHECK
#else
#define LMTEXT_BYPASS_LOGIN 0
#endif

/* Shared memory without preload: by a name in the server's own directory of segments. */
#define LMTEXT_NAMED_DSM (PG_VERSION_NUM >= 170000)

#endif
