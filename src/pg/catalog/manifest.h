/*
 * manifest.h - inside this room: making a manifest.
 */
#ifndef LMTEXT_MANIFEST_H
#define LMTEXT_MANIFEST_H

#include "pg/catalog/catalog.h"

/*
 * Digests of what a version computes: its files, window, precision and base, and of what it is
 * loaded into, without the window. Nothing else of the manifest takes part, so equal contents share
 * one copy in memory whoever imported them.
 */
void lmtext_manifest_digest(const lmtext_manifest *manifest, lmtext_digest *digest,
                            lmtext_digest *image);

/* The manifest as JSON in UTF-8; files, digests and bytes are `manifest`'s, the rest `info`'s. */
bytea *lmtext_manifest_write(lmtext_call *call, const lmtext_manifest *manifest,
                             const lm_model_info *info, const lmtext_version_options *options);

#endif
