-- 30-tokenize: text to tokens and back. Each function names a model (STABLE) or pins a version
-- (IMMUTABLE), and takes one text or an array of texts.

CREATE FUNCTION lmtext_internal.token_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_token_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.token_support(internal) IS
    'planner support: cost of tokenizing, from the width of the text';

CREATE FUNCTION lmtext.tokenize(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tokenize' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text, text, boolean) IS
    'tokens of a text, without special tokens';

CREATE FUNCTION lmtext.tokenize(text text, model regclass, parse_special boolean DEFAULT true)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_tokenize' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text, regclass, boolean) IS
    'tokens of a text, without special tokens (version pinned)';

CREATE FUNCTION lmtext.tokenize(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, tokens text[])
    AS 'MODULE_PATHNAME', 'lmtext_tokenize_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text[], text, boolean) IS
    'tokens of each text, in order';

CREATE FUNCTION lmtext.tokenize(
    texts text[],
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, tokens text[])
    AS 'MODULE_PATHNAME', 'lmtext_tokenize_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokenize(text[], regclass, boolean) IS
    'tokens of each text, in order (version pinned)';

CREATE FUNCTION lmtext.token_ids(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_token_ids' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text, text, boolean) IS
    'token ids of a text, special tokens included';

CREATE FUNCTION lmtext.token_ids(text text, model regclass, parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_token_ids' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text, regclass, boolean) IS
    'token ids of a text, special tokens included (version pinned)';

CREATE FUNCTION lmtext.token_ids(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, ids integer[])
    AS 'MODULE_PATHNAME', 'lmtext_token_ids_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text[], text, boolean) IS
    'token ids of each text, in order';

CREATE FUNCTION lmtext.token_ids(
    texts text[],
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, ids integer[])
    AS 'MODULE_PATHNAME', 'lmtext_token_ids_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.token_ids(text[], regclass, boolean) IS
    'token ids of each text, in order (version pinned)';

CREATE FUNCTION lmtext.detokenize(ids integer[], model text DEFAULT NULL)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_detokenize' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.detokenize(integer[], text) IS
    'text of token ids, without special tokens';

CREATE FUNCTION lmtext.detokenize(ids integer[], model regclass)
    RETURNS text
    AS 'MODULE_PATHNAME', 'lmtext_detokenize' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.detokenize(integer[], regclass) IS
    'text of token ids, without special tokens (version pinned)';

CREATE FUNCTION lmtext.tokens(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE("position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text, text, boolean) IS
    'one row for each token, with its character offsets in the text';

CREATE FUNCTION lmtext.tokens(text text, model regclass, parse_special boolean DEFAULT true)
    RETURNS TABLE("position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text, regclass, boolean) IS
    'one row for each token, with its character offsets in the text (version pinned)';

CREATE FUNCTION lmtext.tokens(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, "position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text[], text, boolean) IS
    'one row for each token of each text';

CREATE FUNCTION lmtext.tokens(texts text[], model regclass, parse_special boolean DEFAULT true)
    RETURNS TABLE(ordinality bigint, "position" integer, id integer, token text, start integer, stop integer, special boolean)
    AS 'MODULE_PATHNAME', 'lmtext_tokens_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.tokens(text[], regclass, boolean) IS
    'one row for each token of each text (version pinned)';

CREATE FUNCTION lmtext.count_tokens(
    text text,
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text, text, boolean) IS
    'number of tokens of a text, special tokens included';

CREATE FUNCTION lmtext.count_tokens(
    text text,
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text, regclass, boolean) IS
    'number of tokens of a text, special tokens included (version pinned)';

CREATE FUNCTION lmtext.count_tokens(
    texts text[],
    model text DEFAULT NULL,
    parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text[], text, boolean) IS
    'number of tokens of each text, in order';

CREATE FUNCTION lmtext.count_tokens(
    texts text[],
    model regclass,
    parse_special boolean DEFAULT true)
    RETURNS integer[]
    AS 'MODULE_PATHNAME', 'lmtext_count_tokens_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.count_tokens(text[], regclass, boolean) IS
    'number of tokens of each text, in order (version pinned)';

CREATE FUNCTION lmtext.chunk(
    text text,
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk' LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 10
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text, text, integer, integer) IS
    'pieces of a text, each of at most max_tokens tokens';

CREATE FUNCTION lmtext.chunk(
    text text,
    model regclass,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000 ROWS 10
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text, regclass, integer, integer) IS
    'pieces of a text, each of at most max_tokens tokens (version pinned)';

CREATE FUNCTION lmtext.chunk(
    texts text[],
    model text DEFAULT NULL,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(ordinality bigint, chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk_array' LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text[], text, integer, integer) IS
    'pieces of each text, in order';

CREATE FUNCTION lmtext.chunk(
    texts text[],
    model regclass,
    max_tokens integer DEFAULT NULL,
    overlap integer DEFAULT 0)
    RETURNS TABLE(ordinality bigint, chunk integer, content text, start integer, stop integer, tokens integer)
    AS 'MODULE_PATHNAME', 'lmtext_chunk_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000 ROWS 100
    SUPPORT lmtext_internal.token_support;
COMMENT ON FUNCTION lmtext.chunk(text[], regclass, integer, integer) IS
    'pieces of each text, in order (version pinned)';
