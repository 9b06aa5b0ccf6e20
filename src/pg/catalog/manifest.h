/*
 * manifest.h - for those who make versions: making a manifest.
 */
#ifndef LMTEXT_MANIFEST_H
#define LMTEXT_MANIFEST_H

#include "lib/stringinfo.h"

#include "pg/catalog/catalog.h"

/* Of what a version computes: its files, window, precision and base; nothing else takes part. */
lmtext_digest lmtext_manifest_digest(const lmtext_manifest *manifest);

/*
 * The manifest as JSON in UTF-8; files, digest, base and bytes are `manifest`'s, the rest `info`'s.
 * golden: the row that goes with it, or NULL.
 */
bytea *lmtext_manifest_write(lmtext_call *call, const lmtext_manifest *manifest,
                             const lm_model_info *info, const lmtext_version_options *options,
                             const bytea *golden);

/* The last member of a manifest that is being written, and its end. */
void lmtext_rows_append(StringInfo manifest, const bytea *golden);

#endif
