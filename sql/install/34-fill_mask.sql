-- 34-fill_mask: words for masks, by the head that an encoder was trained with. Named forms are STABLE;
-- pinned ones are IMMUTABLE.

CREATE FUNCTION lmtext.fill_mask(text text, model text DEFAULT NULL, k integer DEFAULT 5)
    RETURNS TABLE (mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text, text, integer) IS
    'the k most probable tokens for each mask of a text';

CREATE FUNCTION lmtext.fill_mask(text text, model regclass, k integer DEFAULT 5)
    RETURNS TABLE (mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text, regclass, integer) IS
    'the k most probable tokens for each mask of a text (version pinned)';

CREATE FUNCTION lmtext.fill_mask(texts text[], model text DEFAULT NULL, k integer DEFAULT 5)
    RETURNS TABLE (ordinality bigint, mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text[], text, integer) IS
    'the k most probable tokens for each mask of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.fill_mask(texts text[], model regclass, k integer DEFAULT 5)
    RETURNS TABLE (ordinality bigint, mask integer, token text, score real, sequence text)
    AS 'MODULE_PATHNAME', 'lmtext_fill_mask_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.fill_mask(text[], regclass, integer) IS
    'the k most probable tokens for each mask of each text of an array, computed as one batch (version pinned)';
