-- 33-tag: a label for each token or entity of a text, by the head of a checkpoint. Named forms are STABLE;
-- pinned ones are IMMUTABLE and obey no setting.

CREATE FUNCTION lmtext.tag(text text, model text DEFAULT NULL)
    RETURNS TABLE (token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text, text) IS
    'label with the highest score for each token of a text, with its character offsets';

CREATE FUNCTION lmtext.tag(text text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text, regclass, text) IS
    'label with the highest score for each token of a text, with its character offsets (version pinned)';

CREATE FUNCTION lmtext.tag(texts text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text[], text) IS
    'label with the highest score for each token of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.tag(texts text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, token text, tag text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_tag_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag(text[], regclass, text) IS
    'label with the highest score for each token of each text of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.tag_words(words text[], model text DEFAULT NULL) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tag_words' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag_words(text[], text) IS
    'label of each word of a list: that with the highest score for the word''s first token';

CREATE FUNCTION lmtext.tag_words(words text[], model regclass) RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tag_words' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.tag_words(text[], regclass) IS
    'label of each word of a list: that with the highest score for the word''s first token (version pinned)';

CREATE FUNCTION lmtext.entities(text text, model text DEFAULT NULL, aggregation text DEFAULT 'simple')
    RETURNS TABLE (entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text, text, text) IS
    'names of persons, places and the like in a text, with their character offsets';

CREATE FUNCTION lmtext.entities(
    text text,
    model regclass,
    aggregation text DEFAULT 'simple',
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text, regclass, text, text) IS
    'names of persons, places and the like in a text, with their character offsets (version pinned)';

CREATE FUNCTION lmtext.entities(texts text[], model text DEFAULT NULL, aggregation text DEFAULT 'simple')
    RETURNS TABLE (ordinality bigint, entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text[], text, text) IS
    'names of persons, places and the like in each text of an array, computed as one batch';

CREATE FUNCTION lmtext.entities(
    texts text[],
    model regclass,
    aggregation text DEFAULT 'simple',
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, entity text, label text, start integer, stop integer, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entities_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entities(text[], regclass, text, text) IS
    'names of persons, places and the like in each text of an array, computed as one batch (version pinned)';
