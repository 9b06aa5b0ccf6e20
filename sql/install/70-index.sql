-- 70-index: the access method lmtext, its operator classes, and what there is to be known of an index.

CREATE FUNCTION lmtext_internal.index_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME', 'lmtext_index_handler' LANGUAGE C STRICT;
COMMENT ON FUNCTION lmtext_internal.index_handler(internal) IS 'internal: the access method lmtext';

CREATE ACCESS METHOD lmtext TYPE INDEX HANDLER lmtext_internal.index_handler;
COMMENT ON ACCESS METHOD lmtext IS 'index of texts by meaning, and of vectors by distance';

-- The strategy number of the one operator says the metric: 1 cosine, 2 Euclidean, 3 inner product.
CREATE OPERATOR CLASS @extschema@.text_meaning_ops DEFAULT FOR TYPE text USING lmtext AS
    OPERATOR 1 @extschema@.<=> (text, text) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.text_meaning_ops USING lmtext IS
    'texts by the cosine distance of their embeddings';

CREATE OPERATOR CLASS @extschema@.real_cosine_ops DEFAULT FOR TYPE real[] USING lmtext AS
    OPERATOR 1 @extschema@.<=> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_cosine_ops USING lmtext IS 'vectors by cosine distance';

CREATE OPERATOR CLASS @extschema@.real_l2_ops FOR TYPE real[] USING lmtext AS
    OPERATOR 2 @extschema@.<-> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_l2_ops USING lmtext IS 'vectors by Euclidean distance';

CREATE OPERATOR CLASS @extschema@.real_ip_ops FOR TYPE real[] USING lmtext AS
    OPERATOR 3 @extschema@.<#> (real[], real[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS @extschema@.real_ip_ops USING lmtext IS
    'vectors by their negative inner product';
