-- 37-ask: answers to questions out of texts. All of a context is read, so that pinned forms need no on_long.

CREATE FUNCTION lmtext.answer(question text, context text, model text DEFAULT NULL, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 1
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text, text, integer, boolean) IS
    'stretches of a context that answer a question, best first, with their character offsets';

CREATE FUNCTION lmtext.answer(question text, context text, model regclass, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 1
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text, regclass, integer, boolean) IS
    'stretches of a context that answer a question, best first, with their character offsets (version pinned)';

CREATE FUNCTION lmtext.answer(question text, contexts text[], model text DEFAULT NULL, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text[], text, integer, boolean) IS
    'stretches of each context of an array that answer a question, best first, with their character offsets';

CREATE FUNCTION lmtext.answer(question text, contexts text[], model regclass, k integer DEFAULT 1, no_answer boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, answer text, score real, start integer, stop integer)
    AS 'MODULE_PATHNAME', 'lmtext_answer_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.answer(text, text[], regclass, integer, boolean) IS
    'stretches of each context of an array that answer a question, best first, with their character offsets (version pinned)';
