/*
 * change.c - a change of some pages as one.
 *
 * An index that is being built is seen by nobody: its pages are written as they are, and logged in
 * one sweep at the end. All other changes are generic WAL, which standbys and recovery replay
 * without this library.
 */
#include "postgres.h"

#include "pg/am/index.h"

lmtext_change
lmtext_change_begin(Relation index, bool building)
{
    return (lmtext_change){building ? NULL : GenericXLogStart(index)};
}

Page
lmtext_change_page(lmtext_change *change, Buffer buffer, bool fresh)
{
    if (change->log != NULL)
        return GenericXLogRegisterBuffer(change->log, buffer, fresh ? GENERIC_XLOG_FULL_IMAGE : 0);
    MarkBufferDirty(buffer);
    return BufferGetPage(buffer);
}

void
lmtext_change_give_up(lmtext_change *change)
{
    GenericXLogAbort(change->log);
}

void
lmtext_change_end(lmtext_change *change)
{
    if (change->log != NULL)
        GenericXLogFinish(change->log);
}
