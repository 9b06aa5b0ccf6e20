-- 0.3.0 to 0.4.0: what sql/install has gained since. test/t compares the outcome with a fresh install.
\echo Use "ALTER EXTENSION lmtext UPDATE" to load this file. \quit

-- 38-sparse: learned sparse vectors.
CREATE FUNCTION lmtext.sparse(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS jsonb AS 'MODULE_PATHNAME', 'lmtext_sparse' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text, text, text) IS
    'learned sparse vector of a text: tokens and their weights';

CREATE FUNCTION lmtext.sparse(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS jsonb AS 'MODULE_PATHNAME', 'lmtext_sparse' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text, regclass, text, text) IS
    'learned sparse vector of a text: tokens and their weights (version pinned)';

CREATE FUNCTION lmtext.sparse(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS jsonb[] AS 'MODULE_PATHNAME', 'lmtext_sparse_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text[], text, text) IS
    'learned sparse vectors of an array of texts, computed as one batch';

CREATE FUNCTION lmtext.sparse(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS jsonb[] AS 'MODULE_PATHNAME', 'lmtext_sparse_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse(text[], regclass, text, text) IS
    'learned sparse vectors of an array of texts, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.sparse_vector(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS text AS 'MODULE_PATHNAME', 'lmtext_sparse_vector' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text, text, text) IS
    'learned sparse vector of a text, as pgvector''s type sparsevec reads it';

CREATE FUNCTION lmtext.sparse_vector(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS text AS 'MODULE_PATHNAME', 'lmtext_sparse_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text, regclass, text, text) IS
    'learned sparse vector of a text, as pgvector''s type sparsevec reads it (version pinned)';

CREATE FUNCTION lmtext.sparse_vector(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS text[] AS 'MODULE_PATHNAME', 'lmtext_sparse_vector_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text[], text, text) IS
    'learned sparse vectors of an array of texts, as pgvector''s type sparsevec reads them, computed as one batch';

CREATE FUNCTION lmtext.sparse_vector(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS text[] AS 'MODULE_PATHNAME', 'lmtext_sparse_vector_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_vector(text[], regclass, text, text) IS
    'learned sparse vectors of an array of texts, as pgvector''s type sparsevec reads them, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.sparse_similarity(query text, document text, model text DEFAULT NULL)
    RETURNS double precision AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text, text) IS
    'product of the learned sparse vectors of a query and a document';

CREATE FUNCTION lmtext.sparse_similarity(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text, regclass, text) IS
    'product of the learned sparse vectors of a query and a document (version pinned)';

CREATE FUNCTION lmtext.sparse_similarity(query text, documents text[], model text DEFAULT NULL)
    RETURNS double precision[] AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text[], text) IS
    'products of the learned sparse vectors of a query and each document of an array, computed as one batch';

CREATE FUNCTION lmtext.sparse_similarity(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision[] AS 'MODULE_PATHNAME', 'lmtext_sparse_similarity_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.sparse_similarity(text, text[], regclass, text) IS
    'products of the learned sparse vectors of a query and each document of an array, computed as one batch (version pinned)';

-- 41-metrics: the aggregates matthews and cross_entropy.
CREATE FUNCTION lmtext_internal.matthews_accum(state internal, actual anycompatible, predicted anycompatible) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_matthews_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.matthews_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_matthews_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_combine(internal, internal) IS 'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_matthews_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_serialize(internal) IS 'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_matthews_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_deserialize(bytea, internal) IS 'internal: part of the aggregate matthews';

CREATE FUNCTION lmtext_internal.matthews_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_matthews_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.matthews_final(internal) IS 'internal: part of the aggregate matthews';

CREATE AGGREGATE lmtext.matthews(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.matthews_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.matthews_combine,
    SERIALFUNC = lmtext_internal.matthews_serialize,
    DESERIALFUNC = lmtext_internal.matthews_deserialize,
    FINALFUNC = lmtext_internal.matthews_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.matthews(anycompatible, anycompatible) IS
    'correlation of the actual and the predicted labels, from -1 to 1 (Matthews)';

CREATE FUNCTION lmtext_internal.cross_entropy_accum(state internal, log_probability double precision, tokens bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_accum(internal, double precision, bigint) IS
    'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_combine(internal, internal) IS 'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_serialize(internal) IS 'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_deserialize(bytea, internal) IS 'internal: part of the aggregate cross_entropy';

CREATE FUNCTION lmtext_internal.cross_entropy_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cross_entropy_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cross_entropy_final(internal) IS 'internal: part of the aggregate cross_entropy';

CREATE AGGREGATE lmtext.cross_entropy(log_probability double precision, tokens bigint) (
    SFUNC = lmtext_internal.cross_entropy_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cross_entropy_combine,
    SERIALFUNC = lmtext_internal.cross_entropy_serialize,
    DESERIALFUNC = lmtext_internal.cross_entropy_deserialize,
    FINALFUNC = lmtext_internal.cross_entropy_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cross_entropy(double precision, bigint) IS
    'mean negative log probability of a token, in nats';

-- 33-tag: labels of tokens.
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

-- 35-generate: log probabilities of texts.
CREATE FUNCTION lmtext.log_probability(text text, model text DEFAULT NULL, given text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_probability' LANGUAGE C STABLE PARALLEL SAFE COST 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text, text, text) IS
    'natural logarithm of the probability that a language model gives a text';

CREATE FUNCTION lmtext.log_probability(text text, model regclass, given text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_probability' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text, regclass, text) IS
    'natural logarithm of the probability that a language model gives a text (version pinned)';

CREATE FUNCTION lmtext.log_probability(texts text[], model text DEFAULT NULL, given text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_log_probability_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text[], text, text) IS
    'natural logarithms of the probabilities that a language model gives texts';

CREATE FUNCTION lmtext.log_probability(texts text[], model regclass, given text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_log_probability_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.log_probability(text[], regclass, text) IS
    'natural logarithms of the probabilities that a language model gives texts (version pinned)';

-- 36-rerank: pairs of texts.
CREATE FUNCTION lmtext.rerank(query text, document text, model text DEFAULT NULL)
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_rerank' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text, text) IS
    'how well a document suits a query, by a cross-encoder';

CREATE FUNCTION lmtext.rerank(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_rerank' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text, regclass, text) IS
    'how well a document suits a query, by a cross-encoder (version pinned)';

CREATE FUNCTION lmtext.rerank(query text, documents text[], model text DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_rerank_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text[], text) IS
    'how well each document of an array suits a query, by a cross-encoder, computed as one batch';

CREATE FUNCTION lmtext.rerank(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_rerank_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.rerank(text, text[], regclass, text) IS
    'how well each document of an array suits a query, by a cross-encoder, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.next_sentence(a text, b text, model text DEFAULT NULL)
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text, text) IS
    'probability that the second text follows the first';

CREATE FUNCTION lmtext.next_sentence(a text, b text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS real
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text, regclass, text) IS
    'probability that the second text follows the first (version pinned)';

CREATE FUNCTION lmtext.next_sentence(a text, candidates text[], model text DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text[], text) IS
    'probability of each text of an array that it follows the first text, computed as one batch';

CREATE FUNCTION lmtext.next_sentence(a text, candidates text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_next_sentence_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.next_sentence(text, text[], regclass, text) IS
    'probability of each text of an array that it follows the first text, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.entails(premise text, hypothesis text, model text DEFAULT NULL)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 3
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text, text) IS
    'scores of what a hypothesis is to a premise, best first';

CREATE FUNCTION lmtext.entails(premise text, hypothesis text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 3
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text, regclass, text) IS
    'scores of what a hypothesis is to a premise, best first (version pinned)';

CREATE FUNCTION lmtext.entails(premise text, hypotheses text[], model text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 30
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text[], text) IS
    'scores of what each hypothesis of an array is to a premise, best first, computed as one batch';

CREATE FUNCTION lmtext.entails(premise text, hypotheses text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_entails_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 30
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.entails(text, text[], regclass, text) IS
    'scores of what each hypothesis of an array is to a premise, best first, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.zero_shot(text text, labels text[], model text DEFAULT NULL, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false)
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text, text[], text, text, boolean) IS
    'scores of labels for a text, by a model that was not trained on them, best first';

CREATE FUNCTION lmtext.zero_shot(text text, labels text[], model regclass, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false, on_long text DEFAULT 'truncate')
    RETURNS TABLE (label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 5
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text, text[], regclass, text, boolean, text) IS
    'scores of labels for a text, by a model that was not trained on them, best first (version pinned)';

CREATE FUNCTION lmtext.zero_shot(texts text[], labels text[], model text DEFAULT NULL, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false)
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text[], text[], text, text, boolean) IS
    'scores of labels for each text of an array, by a model that was not trained on them, best first';

CREATE FUNCTION lmtext.zero_shot(texts text[], labels text[], model regclass, template text DEFAULT 'This example is {}.', multi_label boolean DEFAULT false, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, label text, score real)
    AS 'MODULE_PATHNAME', 'lmtext_zero_shot_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.zero_shot(text[], text[], regclass, text, boolean, text) IS
    'scores of labels for each text of an array, by a model that was not trained on them, best first (version pinned)';

-- 37-ask: answers to questions.
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

-- 31-embed: the sides of a search, and hidden states.
CREATE FUNCTION lmtext.embed_query(text text, model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text, text, integer) IS
    'embedding of a text that is searched for';

CREATE FUNCTION lmtext.embed_query(
    text text,
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text, regclass, integer, text) IS
    'embedding of a text that is searched for (version pinned)';

CREATE FUNCTION lmtext.embed_query(texts text[], model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text[], text, integer) IS
    'embeddings of texts that are searched for, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed_query(
    texts text[],
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_query_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_query(text[], regclass, integer, text) IS
    'embeddings of texts that are searched for, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.embed_document(text text, model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text, text, integer) IS
    'embedding of a text that is to be found';

CREATE FUNCTION lmtext.embed_document(
    text text,
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text, regclass, integer, text) IS
    'embedding of a text that is to be found (version pinned)';

CREATE FUNCTION lmtext.embed_document(texts text[], model text DEFAULT NULL, dimensions integer DEFAULT NULL)
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text[], text, integer) IS
    'embeddings of texts that are to be found, as the rows of one array, computed as one batch';

CREATE FUNCTION lmtext.embed_document(
    texts text[],
    model regclass,
    dimensions integer DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_embed_document_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.embed_document(text[], regclass, integer, text) IS
    'embeddings of texts that are to be found, as the rows of one array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.hidden_states(text text, model text DEFAULT NULL, layer integer DEFAULT -1)
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states' LANGUAGE C STABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text, text, integer) IS
    'what the encoder has for each token of a text behind one of its layers';

CREATE FUNCTION lmtext.hidden_states(text text, model regclass, layer integer DEFAULT -1)
    RETURNS SETOF real[]
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text, regclass, integer) IS
    'what the encoder has for each token of a text behind one of its layers (version pinned)';

CREATE FUNCTION lmtext.hidden_states(texts text[], model text DEFAULT NULL, layer integer DEFAULT -1)
    RETURNS TABLE (ordinality bigint, state real[])
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text[], text, integer) IS
    'what the encoder has for each token of each text of an array behind one of its layers';

CREATE FUNCTION lmtext.hidden_states(texts text[], model regclass, layer integer DEFAULT -1)
    RETURNS TABLE (ordinality bigint, state real[])
    AS 'MODULE_PATHNAME', 'lmtext_hidden_states_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.hidden_states(text[], regclass, integer) IS
    'what the encoder has for each token of each text of an array behind one of its layers (version pinned)';

-- 33-tag: entities.
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

-- 34-fill_mask: words for masks.
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

-- 38-late_interaction: a vector for each token, and scores of them.
CREATE FUNCTION lmtext.token_vectors(text text, model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text, text, text) IS
    'a vector for each token of a text, as the rows of one array';

CREATE FUNCTION lmtext.token_vectors(text text, model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text, regclass, text, text) IS
    'a vector for each token of a text, as the rows of one array (version pinned)';

CREATE FUNCTION lmtext.token_vectors(texts text[], model text DEFAULT NULL, role text DEFAULT 'document')
    RETURNS TABLE (ordinality bigint, vectors real[])
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text[], text, text) IS
    'a vector for each token of each text of an array, computed as one batch';

CREATE FUNCTION lmtext.token_vectors(texts text[], model regclass, role text DEFAULT 'document', on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, vectors real[])
    AS 'MODULE_PATHNAME', 'lmtext_token_vectors_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000 ROWS 10
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.token_vectors(text[], regclass, text, text) IS
    'a vector for each token of each text of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, document text, model text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_texts' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text, text) IS
    'late interaction of a query and a document';

CREATE FUNCTION lmtext.maxsim(query text, document text, model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_texts' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text, regclass, text) IS
    'late interaction of a query and a document (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, documents text[], model text DEFAULT NULL)
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text[], text) IS
    'late interaction of a query and each document of an array, computed as one batch';

CREATE FUNCTION lmtext.maxsim(query text, documents text[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision[]
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, text[], regclass, text) IS
    'late interaction of a query and each document of an array, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.maxsim(query text, vectors real[], model text DEFAULT NULL)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_stored' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, real[], text) IS
    'late interaction of a query and the stored token vectors of a document';

CREATE FUNCTION lmtext.maxsim(query text, vectors real[], model regclass, on_long text DEFAULT 'truncate')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_stored' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.maxsim(text, real[], regclass, text) IS
    'late interaction of a query and the stored token vectors of a document (version pinned)';

CREATE FUNCTION lmtext.maxsim(query real[], document real[])
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_maxsim_vectors' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext.maxsim(real[], real[]) IS
    'late interaction of stored token vectors: each of the query with the nearest of the document, added up';

-- 20-models: heads on the encoder of another model.
CREATE FUNCTION lmtext.add_head(name text, base text, source text, options jsonb DEFAULT '{}')
    RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_add_head'
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION lmtext.add_head(text, text, text, jsonb) IS
    'create the next version of a model from the head in a directory on the server, on the encoder of another model; returns its number; needs EXECUTE';

REVOKE EXECUTE ON FUNCTION lmtext.add_head(text, text, text, jsonb) FROM PUBLIC;

-- 32-classify: words and their shares of a score.
CREATE FUNCTION lmtext.explain(
    text text,
    model text DEFAULT NULL,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL)
    RETURNS TABLE (token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain' LANGUAGE C STABLE PARALLEL SAFE COST 10000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text, text, text, text, integer, text) IS
    'words of a text and their shares of the score of a label';

CREATE FUNCTION lmtext.explain(
    text text,
    model regclass,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10000000 ROWS 50
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text, regclass, text, text, integer, text, text) IS
    'words of a text and their shares of the score of a label (version pinned)';

CREATE FUNCTION lmtext.explain(
    texts text[],
    model text DEFAULT NULL,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL)
    RETURNS TABLE (ordinality bigint, token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain_array' LANGUAGE C STABLE PARALLEL SAFE COST 100000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text[], text, text, text, integer, text) IS
    'words of each text of an array and their shares of the score of a label';

CREATE FUNCTION lmtext.explain(
    texts text[],
    model regclass,
    label text DEFAULT NULL,
    method text DEFAULT 'integrated_gradients',
    steps integer DEFAULT NULL,
    baseline text DEFAULT NULL,
    on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, token text, start integer, stop integer, attribution real)
    AS 'MODULE_PATHNAME', 'lmtext_explain_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000000 ROWS 500
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.explain(text[], regclass, text, text, integer, text, text) IS
    'words of each text of an array and their shares of the score of a label (version pinned)';

-- 20-models: what tokenizers may be made of, and tasks.
CREATE FUNCTION lmtext_internal.tokenizer_list(OUT stage text, OUT name text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_tokenizer_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 50;
COMMENT ON FUNCTION lmtext_internal.tokenizer_list() IS 'kinds of stages and models that a tokenizer may have';

CREATE VIEW lmtext.tokenizers AS SELECT t.stage, t.name FROM lmtext_internal.tokenizer_list() t;
COMMENT ON VIEW lmtext.tokenizers IS
    'what the tokenizer of a model may be made of: stages of tokenizer.json, and the types that each may have';

CREATE FUNCTION lmtext_internal.task_list(
    OUT name text, OUT does text, OUT functions text[], OUT setting text, OUT labels boolean)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_task_list'
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 100 ROWS 10;
COMMENT ON FUNCTION lmtext_internal.task_list() IS 'tasks that a model may have';

CREATE VIEW lmtext.tasks AS
    SELECT t.name, t.does, t.functions, t.setting, t.labels FROM lmtext_internal.task_list() t;
COMMENT ON VIEW lmtext.tasks IS 'tasks that a model may have, and the functions of each';
COMMENT ON COLUMN lmtext.tasks.does IS 'what models of the task are used for';
COMMENT ON COLUMN lmtext.tasks.functions IS 'functions of the schema lmtext that need such a model';
COMMENT ON COLUMN lmtext.tasks.setting IS 'the setting that names the model of calls that name none';
COMMENT ON COLUMN lmtext.tasks.labels IS 'whether the results are scores of labels';

GRANT SELECT ON lmtext.tokenizers, lmtext.tasks TO PUBLIC;

-- 90-monitoring: tokens of calls that share a forward pass.
COMMENT ON COLUMN lmtext.stats.tokens IS
    'tokens of these texts, including special tokens if the function uses them; none of a text that another call of its row had computed';
-- 90-monitoring: times of calls by buckets, and checks.
CREATE FUNCTION lmtext.latency_histogram(
    OUT role text, OUT database text, OUT model regclass, OUT version text, OUT function text,
    OUT bucket integer, OUT from_ms double precision, OUT to_ms double precision, OUT calls bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_latency_histogram'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 10000 ROWS 500;
COMMENT ON FUNCTION lmtext.latency_histogram() IS
    'times of the calls of lmtext.stats by buckets: calls that took from from_ms to less than to_ms; counts of one bucket add up over rows';

CREATE FUNCTION lmtext.health(OUT "check" text, OUT status text, OUT detail text, OUT hint text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_health'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.health() IS
    'state of lmtext as far as the caller may see it: one row for each check, with status pass, warn or fail, and a hint where it is not pass';

-- 60-jobs: a task of a model over a column of a table, batch by batch. A job is its table of work, which
-- its owner owns; it runs as that role, and only as that role. What a job does is written as dynamic
-- SQL, of quoted names and of what create_job has checked; triggers of the user's see the search_path
-- of the session, so that no function here may set it.

-- Written by lmtext_internal.write_job only (src/pg/jobs/ledger.c).
CREATE TABLE lmtext.job (
    name text NOT NULL PRIMARY KEY,
    work regclass NOT NULL UNIQUE,
    relation regclass NOT NULL,
    text_column name NOT NULL,
    task text NOT NULL,
    model text NOT NULL,
    target regclass NOT NULL,
    target_column name NOT NULL,
    key name[] NOT NULL,
    options jsonb NOT NULL,
    paused boolean NOT NULL,
    attached boolean NOT NULL,
    scanned regclass
);
COMMENT ON TABLE lmtext.job IS 'jobs; the view lmtext.jobs shows them';
GRANT SELECT ON lmtext.job TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.job', '');

-- What ran on this server in the last 90 days; it is not dumped.
CREATE TABLE lmtext.job_run (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    work regclass NOT NULL,
    parent bigint,
    pid integer NOT NULL,
    model regclass NOT NULL,
    started_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
    finished_at timestamptz,
    status text NOT NULL,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    errors bigint NOT NULL DEFAULT 0,
    sqlstate text,
    message text
);
CREATE INDEX job_run_work ON lmtext.job_run (work);
COMMENT ON TABLE lmtext.job_run IS 'runs of jobs; the view lmtext.job_runs shows them';
-- A message may repeat the text of a row.
GRANT SELECT (id, work, parent, pid, model, started_at, updated_at, finished_at, status, total, done, errors, sqlstate)
    ON lmtext.job_run TO PUBLIC;

CREATE VIEW lmtext_internal.own_messages AS
    SELECT r.id, CASE WHEN (SELECT pg_catalog.pg_has_role(c.relowner, 'USAGE') FROM pg_catalog.pg_class c
        WHERE c.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid) THEN r.message END AS message
    FROM lmtext.job_run r;
COMMENT ON VIEW lmtext_internal.own_messages IS 'messages of runs, of jobs of roles that the current user has the rights of';
GRANT SELECT ON lmtext_internal.own_messages TO PUBLIC;

CREATE FUNCTION lmtext_internal.write_job(work oid, entry text, data jsonb) RETURNS bigint
    AS 'MODULE_PATHNAME', 'lmtext_write_ledger'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.write_job(oid, text, jsonb) IS
    'write what the tables of jobs and of runs say of a job; needs ownership of its table of work';

CREATE FUNCTION lmtext_internal.start_job_workers(job text, run bigint, count integer) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_start_job_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.start_job_workers(text, bigint, integer) IS
    'start background workers that do batches of a job as the current user; returns how many could be started';

CREATE FUNCTION lmtext_internal.count_job_workers(stop boolean) RETURNS integer
    AS 'MODULE_PATHNAME', 'lmtext_count_job_workers'
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.count_job_workers(boolean) IS
    'number of workers of this session that have not ended; true ends them first';

CREATE FUNCTION lmtext_internal.resolve_model(model text) RETURNS regclass
    AS 'MODULE_PATHNAME', 'lmtext_resolve_model'
    LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext_internal.resolve_model(text) IS 'version that a model''s name means now';

-- ---- What a job can do ----

-- A row for each task: its type, what computes it (%s: the arguments), and the options of that function.
CREATE FUNCTION lmtext_internal.job_tasks(
    OUT task text, OUT model_task text, OUT type text, OUT expression text, OUT options text[])
    RETURNS SETOF record LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 100 ROWS 10 AS $$
    VALUES
        ('embed', 'embedding', 'real[]', 'lmtext.embed(%s)',
            '{prompt_name,prompt,dimensions,on_long}'::pg_catalog.text[]),
        ('embed_query', 'embedding', 'real[]', 'lmtext.embed_query(%s)', '{dimensions,on_long}'),
        ('embed_document', 'embedding', 'real[]', 'lmtext.embed_document(%s)', '{dimensions,on_long}'),
        ('token_vectors', 'late_interaction', 'real[]', 'lmtext.token_vectors(%s)', '{role,on_long}'),
        ('classify', 'classification', 'text', 'lmtext.classify(%s)', '{min_score,on_long}'),
        ('class_scores', 'classification', 'jsonb',
            '(SELECT pg_catalog.jsonb_object_agg(s.label, s.score) FROM lmtext.class_scores(%s) s)', '{on_long}'),
        ('entities', 'token_classification', 'jsonb',
            '(SELECT COALESCE(pg_catalog.jsonb_agg(s), ''[]'') FROM lmtext.entities(%s) s)', '{aggregation,on_long}'),
        ('tag', 'token_classification', 'jsonb',
            '(SELECT COALESCE(pg_catalog.jsonb_agg(s), ''[]'') FROM lmtext.tag(%s) s)', '{on_long}'),
        ('sparse', 'sparse', 'jsonb', 'lmtext.sparse(%s)', '{role,on_long}'),
        ('log_probability', 'language_model', 'double precision', 'lmtext.log_probability(%s)', '{}');
$$;
COMMENT ON FUNCTION lmtext_internal.job_tasks() IS 'tasks that a job can have, their types and options';

-- ---- Finding a job ----

-- What was given as a name, for a message; a text is not repeated.
CREATE FUNCTION lmtext_internal.shown(name text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT CASE WHEN name OPERATOR(pg_catalog.~) '^[A-Za-z0-9_.@-]{0,63}$' THEN name ELSE '...' END
$$;
COMMENT ON FUNCTION lmtext_internal.shown(text) IS 'a name as messages show it';

-- A job writes its table of work and its queue, and whoever owned such a table before may have added what runs code there:
-- what they did not have when they were made, NULL for none.
CREATE FUNCTION lmtext_internal.added_code(job lmtext.job, relation regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT a.what FROM pg_catalog.pg_class c JOIN pg_catalog.pg_class w ON w.oid OPERATOR(pg_catalog.=) (job).work,
        LATERAL (VALUES
            ('another owner', c.relowner OPERATOR(pg_catalog.<>) w.relowner),
            ('another kind', c.relkind OPERATOR(pg_catalog.<>) 'r'),
            ('row security', c.relrowsecurity OR c.relforcerowsecurity),
            ('a rule', EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class OPERATOR(pg_catalog.=) c.oid)),
            ('a trigger', EXISTS (SELECT FROM pg_catalog.pg_trigger t
                WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal)),
            ('a child', EXISTS (SELECT FROM pg_catalog.pg_inherits i WHERE i.inhparent OPERATOR(pg_catalog.=) c.oid)),
            ('a constraint', EXISTS (SELECT FROM pg_catalog.pg_constraint n WHERE n.conrelid OPERATOR(pg_catalog.=) c.oid
                AND n.contype OPERATOR(pg_catalog.<>) ALL ('{p,u,n}'::pg_catalog."char"[]))),
            ('a default', EXISTS (SELECT FROM pg_catalog.pg_attrdef d WHERE d.adrelid OPERATOR(pg_catalog.=) c.oid
                AND pg_catalog.pg_get_expr(d.adbin, d.adrelid) OPERATOR(pg_catalog.<>) ALL ('{true,0}'::pg_catalog.text[]))),
            ('an index', EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
                AND (i.indexprs IS NOT NULL OR pg_catalog.pg_get_expr(i.indpred, i.indrelid)
                    OPERATOR(pg_catalog.<>) ALL ('{due,(sqlstate IS NOT NULL)}'::pg_catalog.text[])))),
            ('a type', EXISTS (SELECT FROM pg_catalog.pg_attribute t
                JOIN pg_catalog.pg_type y ON y.oid OPERATOR(pg_catalog.=) t.atttypid
                WHERE t.attrelid OPERATOR(pg_catalog.=) c.oid AND t.attnum OPERATOR(pg_catalog.>) 0
                AND y.typnamespace OPERATOR(pg_catalog.<>) 'pg_catalog'::pg_catalog.regnamespace
                AND NOT EXISTS (SELECT FROM pg_catalog.pg_attribute k WHERE k.attrelid OPERATOR(pg_catalog.=) (job).relation
                    AND k.attname OPERATOR(pg_catalog.=) ANY ((job).key) AND k.atttypid OPERATOR(pg_catalog.=) t.atttypid)))
        ) a (what, there)
    WHERE c.oid OPERATOR(pg_catalog.=) relation AND a.there LIMIT 1;
$$;
COMMENT ON FUNCTION lmtext_internal.added_code(lmtext.job, regclass) IS
    'what was added to a table of a job, and could run code as who writes it';

CREATE FUNCTION lmtext_internal.check_plain(job lmtext.job, relation regclass) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    added text := lmtext_internal.added_code(job, relation);
BEGIN
    IF added IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('table %s of job "%s" has %s', relation, job.name, added),
            DETAIL = 'It could run code with the privileges of who runs the job.',
            HINT = 'Undo that, or drop the table and create the job again.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_plain(lmtext.job, regclass) IS 'refuse a table of a job to which code was added';

-- The owner alone: what a job does is the owner's, and would be done with the caller's privileges.
CREATE FUNCTION lmtext_internal.own_job(job_name text) RETURNS lmtext.job
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    found_job lmtext.job;
    owner name;
BEGIN
    SELECT j.* INTO found_job FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.name OPERATOR(pg_catalog.=) job_name;
    IF found_job.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('job "%s" does not exist', lmtext_internal.shown(job_name)),
            HINT = 'The view lmtext.jobs lists the jobs.';
    END IF;
    SELECT pg_catalog.pg_get_userbyid(c.relowner) INTO owner FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) found_job.work;
    IF owner OPERATOR(pg_catalog.<>) CURRENT_USER THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
            MESSAGE = pg_catalog.format('must be owner of job "%s"', job_name),
            DETAIL = 'What a job runs, triggers of its table among it, has the privileges of the role that runs it.',
            HINT = pg_catalog.format('Log in as %I. SET ROLE is not enough protection: code of the job can RESET ROLE.', owner);
    END IF;
    PERFORM lmtext_internal.check_plain(found_job, found_job.work);
    RETURN found_job;
END $$;
COMMENT ON FUNCTION lmtext_internal.own_job(text) IS 'job of the current user by its name';

-- Qualified and quoted; a table that was dropped is an error.
CREATE FUNCTION lmtext_internal.table_name(relation regclass) RETURNS text
    LANGUAGE plpgsql STABLE STRICT PARALLEL SAFE COST 100 AS $$
DECLARE
    qualified text;
BEGIN
    SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) INTO qualified
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF qualified IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = 'a table of the job was dropped',
            DETAIL = pg_catalog.format('Its OID was %s.', relation::pg_catalog.oid);
    END IF;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.table_name(regclass) IS 'qualified name of a table';

-- Pieces of a job's statements: w is a row of work, r one of the relation. A table is read without its
-- children, which its primary key does not cover. Keys are equal as the primary key sees it.
CREATE TYPE lmtext_internal.job_pieces AS (
    work text, relation text, relation_keys text, work_keys text, key_names text,
    key_text text, matches text, same_keys text, body text, hash text, stale text, to_do text
);
COMMENT ON TYPE lmtext_internal.job_pieces IS 'pieces of the statements of a job';

CREATE FUNCTION lmtext_internal.job_parts(
    job lmtext.job,
    OUT work text, OUT relation text, OUT relation_keys text, OUT work_keys text, OUT key_names text,
    OUT key_text text, OUT matches text, OUT same_keys text, OUT body text, OUT hash text, OUT stale text, OUT to_do text)
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
BEGIN
    work := lmtext_internal.table_name(job.work);
    SELECT pg_catalog.concat(CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'r' THEN 'ONLY ' END, lmtext_internal.table_name(job.relation))
    INTO relation FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    relation := COALESCE(relation, lmtext_internal.table_name(job.relation));
    SELECT pg_catalog.string_agg(pg_catalog.format('r.%I', k.name), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s', k.n), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('%I', k.name), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s OPERATOR(%I.%s) r.%I', k.n, n.nspname, o.oprname, k.name),
               ' AND ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('w.k%s OPERATOR(%I.%s) d.k%1$s', k.n, n.nspname, o.oprname), ' AND ' ORDER BY k.n)
    INTO relation_keys, work_keys, key_names, matches, same_keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n)
    JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) job.work AND i.indisprimary
    JOIN pg_catalog.pg_opclass c
        ON c.oid OPERATOR(pg_catalog.=) i.indclass[(k.n OPERATOR(pg_catalog.-) 1)::int]
    JOIN pg_catalog.pg_amop a ON a.amopfamily OPERATOR(pg_catalog.=) c.opcfamily
        AND a.amopstrategy OPERATOR(pg_catalog.=) 3 AND a.amoplefttype OPERATOR(pg_catalog.=) c.opcintype
        AND a.amoprighttype OPERATOR(pg_catalog.=) c.opcintype
    JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) a.amopopr
    JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) o.oprnamespace;
    key_text := CASE WHEN pg_catalog.cardinality(job.key) OPERATOR(pg_catalog.=) 1 THEN 'w.k1::pg_catalog.text'
        ELSE pg_catalog.format('ROW(%s)::pg_catalog.text', work_keys) END;
    body := pg_catalog.format('r.%I::pg_catalog.text', job.text_column);
    hash := pg_catalog.format('pg_catalog.hashtextextended(%s COLLATE "C", 0)', body);
    stale := pg_catalog.format('(NOT w.due OR w.retry_at IS NOT NULL) AND (w.model IS NULL OR w.model::pg_catalog.oid OPERATOR(pg_catalog.<>) $1::pg_catalog.oid'
        ' OR COALESCE(w.hash OPERATOR(pg_catalog.<>) %s, (w.hash IS NULL) OPERATOR(pg_catalog.<>) (%s IS NULL))%s)', hash, body,
        CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation
            THEN pg_catalog.format(' OR w.sqlstate IS NULL AND NOT w.blank AND r.%I IS NULL', job.target_column) END);
    to_do := pg_catalog.format('%s r LEFT JOIN %s w ON %s WHERE w.position IS NULL OR w.due AND (w.retry_at IS NULL'
        ' OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp()) OR %s', relation, work, matches, stale);
END $$;
COMMENT ON FUNCTION lmtext_internal.job_parts(lmtext.job) IS 'pieces of the statements of a job';

-- What computes a text (t.body) with a version.
CREATE FUNCTION lmtext_internal.job_expression(job lmtext.job, model regclass) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT pg_catalog.format(t.expression, pg_catalog.format('t.body, %L::pg_catalog.regclass%s', model::pg_catalog.oid,
        (SELECT pg_catalog.string_agg(pg_catalog.format(', %I => %L', o.key, o.value), '' ORDER BY o.key)
         FROM pg_catalog.jsonb_each_text((job).options) o
         WHERE o.key OPERATOR(pg_catalog.=) ANY (t.options) AND o.value IS NOT NULL)))
    FROM lmtext_internal.job_tasks() t WHERE t.task OPERATOR(pg_catalog.=) (job).task;
$$;
COMMENT ON FUNCTION lmtext_internal.job_expression(lmtext.job, regclass) IS
    'expression that computes a text of a job';

CREATE FUNCTION lmtext_internal.job_option(job lmtext.job, option text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT COALESCE((job).options OPERATOR(pg_catalog.->>) option,
        '{"batch_size": 256, "retries": 3, "retry_after": "1 minute"}'::pg_catalog.jsonb OPERATOR(pg_catalog.->>) option);
$$;
COMMENT ON FUNCTION lmtext_internal.job_option(lmtext.job, text) IS 'option of a job, or its default';

-- ---- Making and dropping ----

CREATE FUNCTION lmtext_internal.check_job_options(task text, options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    known text[] := '{batch_size,retries,retry_after,side_table}';
    job_options jsonb := options;
    wrong text;
BEGIN
    SELECT pg_catalog.array_cat(known, t.options) INTO known FROM lmtext_internal.job_tasks() t
    WHERE t.task OPERATOR(pg_catalog.=) check_job_options.task;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown task "%s" of a job', lmtext_internal.shown(task)),
            HINT = pg_catalog.format('Available tasks: %s.',
                (SELECT pg_catalog.string_agg(t.task, ', ') FROM lmtext_internal.job_tasks() t));
    END IF;
    IF pg_catalog.jsonb_typeof(job_options) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM pg_catalog.jsonb_object_keys(job_options) o WHERE o OPERATOR(pg_catalog.<>) ALL (known);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = pg_catalog.format('Available options: %s.', pg_catalog.array_to_string(known, ', '));
    END IF;
    IF NOT COALESCE((options OPERATOR(pg_catalog.->>) 'batch_size')::int, 256)
            OPERATOR(pg_catalog.<@) pg_catalog.int4range(1, 100000, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = 'option "batch_size" must be from 1 to 100000';
    END IF;
    IF NOT COALESCE((options OPERATOR(pg_catalog.->>) 'retries')::int, 0)
            OPERATOR(pg_catalog.<@) pg_catalog.int4range(0, 20, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'option "retries" must be from 0 to 20';
    END IF;
    PERFORM (options OPERATOR(pg_catalog.->>) 'retry_after')::interval;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_job_options(text, jsonb) IS 'refuses a task or options that no job can have';

-- The columns of the primary key of a relation that a job can work on.
CREATE FUNCTION lmtext_internal.job_key(relation regclass) RETURNS name[]
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    table_row pg_catalog.pg_class;
    key name[];
BEGIN
    SELECT c.* INTO table_row FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) relation;
    IF table_row.relname IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_table',
            MESSAGE = pg_catalog.format('relation with OID %s does not exist', relation::pg_catalog.oid);
    END IF;
    IF table_row.relkind OPERATOR(pg_catalog.<>) ALL ('{r,p}'::pg_catalog."char"[])
            OR table_row.relpersistence OPERATOR(pg_catalog.=) 't' THEN
        RAISE EXCEPTION USING ERRCODE = 'wrong_object_type',
            MESSAGE = pg_catalog.format('a job cannot work on "%s"', relation),
            DETAIL = 'It is not a table, or a temporary one.';
    END IF;
    SELECT pg_catalog.array_agg(a.attname ORDER BY k.n) INTO key
    FROM pg_catalog.pg_index i, ROWS FROM (pg_catalog.unnest(i.indkey::smallint[])) WITH ORDINALITY k (number, n),
        pg_catalog.pg_attribute a
    WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND i.indisprimary
        AND k.n OPERATOR(pg_catalog.<=) i.indnkeyatts
        AND a.attrelid OPERATOR(pg_catalog.=) relation AND a.attnum OPERATOR(pg_catalog.=) k.number;
    IF key IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('table "%s" has no primary key', relation),
            DETAIL = 'A job knows rows by their primary key.',
            HINT = pg_catalog.format('Add one, for example: ALTER TABLE %s ADD id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;', relation);
    END IF;
    RETURN key;
END $$;
COMMENT ON FUNCTION lmtext_internal.job_key(regclass) IS 'primary key of a table that a job can work on';

-- A name that means the same under every search_path: of a version, or of a model.
CREATE FUNCTION lmtext_internal.qualified_model(model text, task text) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    chosen text := model;
    version regclass;
    pinned boolean;
    qualified text;
BEGIN
    IF chosen IS NULL THEN
        SELECT pg_catalog.current_setting(s.setting) INTO chosen
        FROM lmtext_internal.job_tasks() t
        JOIN lmtext_internal.task_list() s ON s.name OPERATOR(pg_catalog.=) t.model_task
        WHERE t.task OPERATOR(pg_catalog.=) qualified_model.task;
    END IF;
    IF COALESCE(chosen, '') OPERATOR(pg_catalog.=) '' THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object', MESSAGE = 'no model was given and no default is set';
    END IF;
    version := lmtext_internal.resolve_model(chosen);
    pinned := chosen OPERATOR(pg_catalog.~) '@[0-9]+"?$';
    SELECT pg_catalog.format('%I.%I', n.nspname,
            CASE WHEN pinned THEN c.relname::pg_catalog.text ELSE pg_catalog.regexp_replace(c.relname::pg_catalog.text, '@[0-9]+$', '') END)
    INTO qualified
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) version;
    RETURN qualified;
END $$;
COMMENT ON FUNCTION lmtext_internal.qualified_model(text, text) IS 'qualified name of a model, or of the default of a task';

-- The target is made if it is not there; then a statement like the job's is planned, which says whether
-- the types go together and whether the caller may.
CREATE FUNCTION lmtext_internal.make_target(job lmtext.job, side_table text) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    relation_row pg_catalog.pg_class;
    type text;
    target text;
    keys text;
BEGIN
    IF job.relation IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a job needs a table';
    END IF;
    SELECT t.type INTO type FROM lmtext_internal.job_tasks() t WHERE t.task OPERATOR(pg_catalog.=) job.task;
    SELECT c.* INTO relation_row FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I', k.name), ', ' ORDER BY k.n) INTO keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    target := lmtext_internal.table_name(job.relation);
    IF side_table IS NOT NULL THEN
        target := pg_catalog.format('%s.%I', relation_row.relnamespace::pg_catalog.regnamespace, side_table);
        IF pg_catalog.to_regclass(target) IS NULL THEN
            EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA',
                target, keys, lmtext_internal.table_name(job.relation));
            EXECUTE pg_catalog.format('ALTER TABLE %s ADD PRIMARY KEY (%s)', target, keys);
        ELSIF NOT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_roles me ON me.rolname OPERATOR(pg_catalog.=) CURRENT_USER
                WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(target)::pg_catalog.oid
                    AND (c.relowner OPERATOR(pg_catalog.=) ANY (ARRAY[me.oid, relation_row.relowner])
                        OR NOT me.rolsuper AND pg_catalog.pg_has_role(c.relowner, 'USAGE'))) THEN
            -- Its triggers would run as the owner of the job.
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege',
                MESSAGE = pg_catalog.format('table "%s" is there already, and another role''s', side_table);
        END IF;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) target::pg_catalog.regclass
                AND a.attname OPERATOR(pg_catalog.=) job.target_column AND NOT a.attisdropped) THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s ADD %I %s', target, job.target_column, type);
    END IF;
    IF side_table IS NULL THEN
        EXECUTE pg_catalog.format('EXPLAIN UPDATE %s SET %I = NULL::%s', target, job.target_column, type);
    ELSE
        EXECUTE pg_catalog.format(
            'EXPLAIN INSERT INTO %1$s (%2$s, %3$I) SELECT %2$s, NULL::%4$s FROM %5$s ON CONFLICT (%2$s) DO UPDATE SET %3$I = excluded.%3$I',
            target, keys, job.target_column, type, lmtext_internal.table_name(job.relation));
    END IF;
    RETURN target::pg_catalog.regclass;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_target(lmtext.job, text) IS
    'table and column that a job writes, made if missing';

CREATE FUNCTION lmtext_internal.make_work(job lmtext.job) RETURNS regclass
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    work text;
    columns text;
    keys text;
BEGIN
    SELECT pg_catalog.format('%s.%I', c.relnamespace::pg_catalog.regnamespace, pg_catalog.concat(job.name, '@job')) INTO work
    FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation;
    SELECT pg_catalog.string_agg(pg_catalog.format('%I AS k%s', k.name, k.n), ', ' ORDER BY k.n),
           pg_catalog.string_agg(pg_catalog.format('k%s', k.n), ', ' ORDER BY k.n) INTO columns, keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s WITH NO DATA',
        work, columns, lmtext_internal.table_name(job.relation));
    EXECUTE pg_catalog.format(
        'ALTER TABLE %s ADD PRIMARY KEY (%s), ADD position bigint GENERATED ALWAYS AS IDENTITY, '
        'ADD due boolean NOT NULL DEFAULT true, ADD blank boolean, ADD hash bigint, ADD model regclass, ADD at timestamptz, '
        'ADD tries smallint NOT NULL DEFAULT 0, ADD retry_at timestamptz, ADD key text, ADD sqlstate text, ADD message text',
        work, keys);
    EXECUTE pg_catalog.format('CREATE INDEX ON %s (position) WHERE due', work);
    EXECUTE pg_catalog.format('CREATE INDEX ON %s (position) WHERE sqlstate IS NOT NULL', work);
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', work,
        pg_catalog.format('lmtext job %s: what was done for each row', job.name));
    RETURN work::pg_catalog.regclass;
END $$;
COMMENT ON FUNCTION lmtext_internal.make_work(lmtext.job) IS 'table of what a job has done for each row';

CREATE FUNCTION lmtext.create_job(
    name text,
    relation regclass,
    text_column name,
    task text,
    model text,
    target_column name,
    options jsonb DEFAULT '{}')
    RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
#variable_conflict use_column
DECLARE
    job lmtext.job;
    data jsonb;
    key name[];
    target regclass;
    work regclass;
BEGIN
    IF create_job.name IS NULL OR create_job.relation IS NULL OR create_job.text_column IS NULL
            OR create_job.task IS NULL OR create_job.target_column IS NULL OR create_job.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed',
            MESSAGE = 'a job needs a name, a table, two columns, a task and options';
    END IF;
    IF pg_catalog.octet_length(create_job.name) OPERATOR(pg_catalog.>) 57
            OR create_job.name OPERATOR(pg_catalog.=) '' OR create_job.name OPERATOR(pg_catalog.~) '@' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid job name "%s"', lmtext_internal.shown(create_job.name)),
            DETAIL = 'It has 1 to 57 bytes, and no "@".';
    END IF;
    IF EXISTS (SELECT FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
            WHERE j.name OPERATOR(pg_catalog.=) create_job.name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = pg_catalog.format('job "%s" already exists', create_job.name);
    END IF;
    PERFORM lmtext_internal.check_job_options(create_job.task, create_job.options);
    key := lmtext_internal.job_key(create_job.relation);
    IF create_job.target_column OPERATOR(pg_catalog.=) ANY (key)
            OR create_job.target_column OPERATOR(pg_catalog.=) create_job.text_column THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('column "%s" cannot be the target: the job reads it', create_job.target_column);
    END IF;
    data := pg_catalog.jsonb_build_object('name', create_job.name, 'relation', create_job.relation::pg_catalog.oid::pg_catalog.text,
        'text_column', create_job.text_column, 'task', create_job.task,
        'model', lmtext_internal.qualified_model(create_job.model, create_job.task), 'target_column', create_job.target_column,
        'key', key, 'options', create_job.options, 'paused', false, 'attached', false);
    job := pg_catalog.jsonb_populate_record(NULL::lmtext.job, data);
    -- One text, computed: whether the model has the task, and the options their values.
    EXECUTE pg_catalog.format('SELECT %s FROM (SELECT pg_catalog.text ''a'' AS body) t',
        lmtext_internal.job_expression(job, lmtext_internal.resolve_model(job.model)));
    EXECUTE pg_catalog.format('EXPLAIN SELECT %I::pg_catalog.text FROM %s', job.text_column,
        lmtext_internal.table_name(job.relation));
    target := lmtext_internal.make_target(job, create_job.options OPERATOR(pg_catalog.->>) 'side_table');
    work := lmtext_internal.make_work(job);
    PERFORM lmtext_internal.write_job(work, 'forget', '{}');
    PERFORM lmtext_internal.write_job(work, 'create', data OPERATOR(pg_catalog.||) pg_catalog.jsonb_build_object(
        'work', work::pg_catalog.oid::pg_catalog.text, 'target', target::pg_catalog.oid::pg_catalog.text));
END $$;
COMMENT ON FUNCTION lmtext.create_job(text, regclass, name, text, text, name, jsonb) IS
    'create a job: a task of a model over a text column, into a column or a side table';

CREATE FUNCTION lmtext.drop_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(drop_job.name);
BEGIN
    PERFORM lmtext.detach(job.name);
    PERFORM lmtext_internal.write_job(job.work, 'drop', '{}');
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(job.work));
END $$;
COMMENT ON FUNCTION lmtext.drop_job(text) IS 'drop a job; what it has computed stays';

-- ---- Live mode ----

CREATE FUNCTION lmtext_internal.queue_name(job lmtext.job) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.format('%I.%I', n.nspname, pg_catalog.concat((job).name, '@queue'))
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.oid OPERATOR(pg_catalog.=) (job).work;
$$;
COMMENT ON FUNCTION lmtext_internal.queue_name(lmtext.job) IS 'table of the keys that triggers queue for a job';

-- queue_row('schema', 'table', 'new' or 'old', key, ...): runs with the rights of who writes the relation, and inserts a key. What
-- has that name by now may have triggers of its own: whose it is must be a role that may make triggers here, too.
CREATE FUNCTION lmtext_internal.queue_row() RETURNS trigger
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    keys text;
    queue text := pg_catalog.format('%I.%I', TG_ARGV[0], TG_ARGV[1]);
BEGIN
    PERFORM FROM pg_catalog.pg_class c
    WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(queue)::pg_catalog.oid AND c.relkind OPERATOR(pg_catalog.=) 'r'
        AND (pg_catalog.has_table_privilege(c.relowner, TG_RELID, 'TRIGGER')
            OR EXISTS (SELECT FROM pg_catalog.pg_partition_ancestors(TG_RELID) p (relid)
                WHERE pg_catalog.has_table_privilege(c.relowner, p.relid::pg_catalog.oid, 'TRIGGER')));
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('the queue "%s" of a job is gone, or another role''s', TG_ARGV[1]),
            HINT = pg_catalog.format('DROP TRIGGER %I ON %I.%I;', TG_NAME, TG_TABLE_SCHEMA, TG_TABLE_NAME);
    END IF;
    IF TG_LEVEL OPERATOR(pg_catalog.=) 'STATEMENT' THEN
        EXECUTE pg_catalog.format('INSERT INTO %s DEFAULT VALUES', queue);
        RETURN NULL;
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('($1).%I', TG_ARGV[n]), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.generate_series(3, TG_NARGS OPERATOR(pg_catalog.-) 1) n;
    EXECUTE pg_catalog.format('INSERT INTO %s VALUES (%s)', queue, keys)
        USING CASE WHEN TG_ARGV[2] OPERATOR(pg_catalog.=) 'new' THEN NEW ELSE OLD END;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION lmtext_internal.queue_row() IS 'trigger of a job in live mode: queues the key of a row';

-- The triggers of a job: suffix of the name, event, which row, and when. Values are compared byte by byte: an operator = may be
-- another role's, may call two spellings equal, and json has none.
CREATE FUNCTION lmtext_internal.job_triggers(
    job lmtext.job, OUT name text, OUT event text, OUT side text, OUT condition text)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 ROWS 5 AS $$
DECLARE
    changed CONSTANT text := 'pg_catalog.record_image_ne(ROW(OLD.%1$I), ROW(NEW.%1$I))';
    other_key text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format(changed, k), ' OR ') INTO other_key FROM pg_catalog.unnest(job.key) k;
    RETURN QUERY SELECT pg_catalog.concat(job.name, '@', t.suffix), t.event, t.side, t.condition
    FROM (VALUES
        ('i', 'INSERT', 'new', NULL),
        ('u', 'UPDATE', 'new', pg_catalog.concat(pg_catalog.format(changed, job.text_column), ' OR ', other_key)),
        ('k', 'UPDATE', 'old', other_key),
        ('d', 'DELETE', 'old', NULL),
        ('t', 'TRUNCATE', NULL, NULL)) t (suffix, event, side, condition);
END $$;
COMMENT ON FUNCTION lmtext_internal.job_triggers(lmtext.job) IS 'triggers of a job in live mode';

-- Against another scan, attach or detach, until the end of the transaction. What was read of the job before may be old.
CREATE FUNCTION lmtext_internal.locked_job(job lmtext.job) RETURNS lmtext.job
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    read_again lmtext.job;
BEGIN
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE UPDATE EXCLUSIVE MODE', lmtext_internal.table_name(job.work));
    SELECT j.* INTO read_again FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid;
    RETURN read_again;
END $$;
COMMENT ON FUNCTION lmtext_internal.locked_job(lmtext.job) IS 'job as it is now, and until the end of the transaction';

CREATE FUNCTION lmtext.attach(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.locked_job(lmtext_internal.own_job(attach.name));
    keys text;
    one record;
BEGIN
    IF job.attached THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" is attached already', job.name);
    END IF;
    SELECT pg_catalog.string_agg(pg_catalog.format('w.k%s', n), ', ' ORDER BY n) INTO keys
    FROM pg_catalog.generate_subscripts(job.key, 1) n;
    EXECUTE pg_catalog.format('CREATE TABLE %s AS SELECT %s FROM %s w WITH NO DATA',
        lmtext_internal.queue_name(job), keys, lmtext_internal.table_name(job.work));
    EXECUTE pg_catalog.format('GRANT INSERT ON %s TO PUBLIC', lmtext_internal.queue_name(job));
    SELECT pg_catalog.string_agg(pg_catalog.format(', %L', k.name), '' ORDER BY k.n) INTO keys
    FROM ROWS FROM (pg_catalog.unnest(job.key)) WITH ORDINALITY k (name, n);
    FOR one IN SELECT t.* FROM lmtext_internal.job_triggers(job) t LOOP
        EXECUTE pg_catalog.format(
            'CREATE TRIGGER %I AFTER %s ON %s FOR EACH %s %s EXECUTE FUNCTION lmtext_internal.queue_row(%L, %L, %L%s)',
            one.name, one.event, lmtext_internal.table_name(job.relation),
            CASE WHEN one.side IS NULL THEN 'STATEMENT' ELSE 'ROW' END, pg_catalog.format(
                CASE WHEN one.condition IS NOT NULL THEN 'WHEN (%s)' ELSE '' END, one.condition),
            (SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace WHERE c.oid OPERATOR(pg_catalog.=) job.work),
            pg_catalog.concat(job.name, '@queue'), COALESCE(one.side, ''), keys);
    END LOOP;
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"attached": true, "scanned": null}');
END $$;
COMMENT ON FUNCTION lmtext.attach(text) IS
    'let triggers queue the rows that change, so that a run of the job looks at those alone';

CREATE FUNCTION lmtext.detach(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.locked_job(lmtext_internal.own_job(detach.name));
    one record;
BEGIN
    IF NOT job.attached THEN
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) job.relation) THEN
        FOR one IN SELECT t.* FROM lmtext_internal.job_triggers(job) t LOOP
            EXECUTE pg_catalog.format('DROP TRIGGER IF EXISTS %I ON %s', one.name, lmtext_internal.table_name(job.relation));
        END LOOP;
    END IF;
    -- A table of another role may have the name by now.
    IF EXISTS (SELECT FROM pg_catalog.pg_class c
            WHERE c.oid OPERATOR(pg_catalog.=) pg_catalog.to_regclass(lmtext_internal.queue_name(job))::pg_catalog.oid
                AND pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.queue_name(job));
    END IF;
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"attached": false, "scanned": null}');
END $$;
COMMENT ON FUNCTION lmtext.detach(text) IS 'remove the triggers of a job; its runs look at the whole table again';

-- ---- What is to be done ----

-- Rows of work follow the relation: new ones come in, in the order of the key, those of rows that are gone leave, and what was
-- done with another text or another version is due again.
CREATE FUNCTION lmtext_internal.scan_relation(job lmtext.job, model regclass, parts lmtext_internal.job_pieces) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    added bigint;
BEGIN
    EXECUTE pg_catalog.format(CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN '%s'
            ELSE 'WITH w AS (%1$s RETURNING w.*) DELETE FROM %2$s r USING w WHERE %3$s' END,
        pg_catalog.format('DELETE FROM %s w WHERE NOT EXISTS (SELECT FROM %s r WHERE %s)', parts.work, parts.relation, parts.matches),
        lmtext_internal.table_name(job.target), parts.matches);
    EXECUTE pg_catalog.format(
        'INSERT INTO %1$s (%2$s) SELECT %3$s FROM %4$s r WHERE NOT EXISTS (SELECT FROM %1$s w WHERE %5$s) ORDER BY %3$s',
        parts.work, pg_catalog.replace(parts.work_keys, 'w.', ''), parts.relation_keys, parts.relation, parts.matches);
    GET DIAGNOSTICS added = ROW_COUNT;
    EXECUTE pg_catalog.format(
        'UPDATE %s w SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL FROM %s r'
        ' WHERE %s AND %s', parts.work, parts.relation, parts.matches, parts.stale) USING model;
    IF added OPERATOR(pg_catalog.>) 0 THEN
        EXECUTE pg_catalog.format('ANALYZE %s', parts.work);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.scan_relation(lmtext.job, regclass, lmtext_internal.job_pieces) IS 'bring the table of work up to date with the relation';

-- The same for the keys that triggers have queued, in one statement, so that what is taken from the queue is what is looked at.
-- False where the table was truncated: that takes a scan.
CREATE FUNCTION lmtext_internal.drain_queue(job lmtext.job, parts lmtext_internal.job_pieces) RETURNS boolean
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    truncated boolean;
    keys text := pg_catalog.replace(parts.work_keys, 'w.', '');
    filled boolean;
BEGIN
    PERFORM lmtext_internal.check_plain(job, lmtext_internal.queue_name(job)::pg_catalog.regclass);
    EXECUTE pg_catalog.format('SELECT EXISTS (SELECT FROM %s)', lmtext_internal.queue_name(job)) INTO filled;
    IF NOT filled THEN
        RETURN true;
    END IF;
    -- A table that is filled and emptied has no statistics otherwise, and a few keys would make the planner read the whole relation.
    EXECUTE pg_catalog.format('ANALYZE %s', lmtext_internal.queue_name(job));
    EXECUTE pg_catalog.format(
        'WITH q AS MATERIALIZED (DELETE FROM %1$s RETURNING %2$s), d AS MATERIALIZED (SELECT DISTINCT %2$s FROM q WHERE q.k1 IS NOT NULL),'
        ' gone AS (DELETE FROM %3$s w USING d WHERE %4$s'
        ' AND NOT EXISTS (SELECT FROM %5$s r WHERE %6$s) RETURNING w.*), %7$s'
        ' came AS (INSERT INTO %3$s (%2$s) SELECT %8$s FROM %5$s r JOIN d w ON %6$s ORDER BY %8$s'
        ' ON CONFLICT (%2$s) DO UPDATE SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL)'
        ' SELECT pg_catalog.bool_or(q.k1 IS NULL) FROM q',
        lmtext_internal.queue_name(job), keys, parts.work, parts.same_keys, parts.relation, parts.matches,
        CASE WHEN job.target OPERATOR(pg_catalog.<>) job.relation THEN
            pg_catalog.format('side AS (DELETE FROM %s r USING gone w WHERE %s),', lmtext_internal.table_name(job.target), parts.matches)
        END, parts.relation_keys) INTO truncated;
    RETURN truncated IS NOT TRUE;
END $$;
COMMENT ON FUNCTION lmtext_internal.drain_queue(lmtext.job, lmtext_internal.job_pieces) IS 'bring the table of work up to date with the rows that triggers have queued';

-- One session looks at a time; batches go on. Where a run with another version goes on, too, rows behind it are of that version,
-- and the next run looks at the whole table.
CREATE FUNCTION lmtext_internal.scan_job(job lmtext.job, model regclass) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    parts lmtext_internal.job_pieces := lmtext_internal.job_parts(job);
    drained boolean := false;
    due bigint;
BEGIN
    job := lmtext_internal.locked_job(job);
    IF job.attached THEN
        drained := lmtext_internal.drain_queue(job, parts) AND job.scanned IS NOT NULL
            AND job.scanned::pg_catalog.oid OPERATOR(pg_catalog.=) model::pg_catalog.oid;
    END IF;
    IF NOT drained THEN
        PERFORM lmtext_internal.scan_relation(job, model, parts);
        PERFORM lmtext_internal.write_job(job.work, 'set', pg_catalog.jsonb_build_object('scanned', CASE WHEN NOT EXISTS (
            SELECT FROM lmtext.job_run r JOIN pg_catalog.pg_stat_activity a ON a.pid OPERATOR(pg_catalog.=) r.pid
            WHERE r.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid AND r.status OPERATOR(pg_catalog.=) 'running'
                AND r.model::pg_catalog.oid OPERATOR(pg_catalog.<>) scan_job.model::pg_catalog.oid)
            THEN scan_job.model::pg_catalog.oid::pg_catalog.text END));
    END IF;
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s w WHERE w.due'
        ' AND (w.retry_at IS NULL OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())', parts.work) INTO due;
    RETURN due;
END $$;
COMMENT ON FUNCTION lmtext_internal.scan_job(lmtext.job, regclass) IS
    'bring the table of work up to date; returns the number of rows that are due';

-- Keys of rows that a run would do now, as text.
CREATE FUNCTION lmtext.stale(name text, OUT key text) RETURNS SETOF text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000000 ROWS 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(stale.name);
    parts record := lmtext_internal.job_parts(job);
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format('SELECT %s FROM %s ORDER BY %s',
        CASE WHEN pg_catalog.cardinality(job.key) OPERATOR(pg_catalog.=) 1
             THEN pg_catalog.concat(parts.relation_keys, '::pg_catalog.text')
             ELSE pg_catalog.format('ROW(%s)::pg_catalog.text', parts.relation_keys) END,
        parts.to_do, parts.relation_keys)
        USING lmtext_internal.resolve_model(job.model);
END $$;
COMMENT ON FUNCTION lmtext.stale(text) IS
    'keys of rows that a run of a job would do: new ones, changed ones, and those of another model version';

-- A sample of texts is counted and computed; a text that fails takes no time.
CREATE FUNCTION lmtext.job_plan(name text, OUT rows bigint, OUT tokens bigint, OUT minutes double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    sample_size CONSTANT int := 64;
    job lmtext.job := lmtext_internal.own_job(job_plan.name);
    model regclass := lmtext_internal.resolve_model(job.model);
    parts record := lmtext_internal.job_parts(job);
    compute text := pg_catalog.format('SELECT pg_catalog.count(v.value) FROM (SELECT %s AS value'
        ' FROM pg_catalog.unnest($1) t (body)) v', lmtext_internal.job_expression(job, model));
    texts text[];
    counted bigint := 0;
    began timestamptz;
    one text;
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*), (pg_catalog.array_agg(s.body ORDER BY s.hash))[:%s]'
        ' FROM (SELECT %s AS body, %s AS hash FROM %s) s', sample_size, parts.body, parts.hash, parts.to_do)
        INTO rows, texts USING model;
    EXECUTE pg_catalog.format('SELECT pg_catalog.sum(LEAST(lmtext.count_tokens(t.body, %L::pg_catalog.regclass),'
        ' (SELECT m.max_tokens FROM lmtext.models m WHERE m.model::pg_catalog.oid OPERATOR(pg_catalog.=) %1$L::pg_catalog.oid))) FROM pg_catalog.unnest($1) t (body)', model::pg_catalog.oid)
        INTO counted USING texts;
    tokens := COALESCE(counted OPERATOR(pg_catalog.*) rows OPERATOR(pg_catalog./) GREATEST(pg_catalog.cardinality(texts), 1), 0);
    EXECUTE compute USING ARRAY['a'];
    began := pg_catalog.clock_timestamp();
    BEGIN
        EXECUTE compute USING texts;
    EXCEPTION WHEN OTHERS THEN
        IF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
            RAISE;
        END IF;
        began := pg_catalog.clock_timestamp();
        FOREACH one IN ARRAY texts LOOP
            BEGIN
                EXECUTE compute USING ARRAY[one];
            EXCEPTION WHEN OTHERS THEN
                IF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
                    RAISE;
                END IF;
            END;
        END LOOP;
    END;
    minutes := COALESCE(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began)::pg_catalog.float8
        OPERATOR(pg_catalog.*) rows::pg_catalog.float8 OPERATOR(pg_catalog./) GREATEST(pg_catalog.cardinality(texts), 1)::pg_catalog.float8
        OPERATOR(pg_catalog./) 60::pg_catalog.float8, 0);
END $$;
COMMENT ON FUNCTION lmtext.job_plan(text) IS
    'what a run of a job would do: rows, tokens, and minutes of one session on this machine, from a sample';

-- ---- One batch ----

-- What was computed for a row, in the column of the task's type.
CREATE TYPE lmtext_internal.job_result AS (
    position bigint, hash bigint, vector real[], label text, object jsonb, number double precision
);
COMMENT ON TYPE lmtext_internal.job_result IS 'what a job has computed for a row';

-- The two statements of a batch; $1 are positions in work that are locked. The first computes, in the order of length: a SELECT of
-- its own, for calls of an UPDATE's rows are not computed in batches.
CREATE FUNCTION lmtext_internal.compute_statement(job lmtext.job, model regclass) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    type text;
BEGIN
    SELECT t.type INTO type FROM lmtext_internal.job_tasks() t WHERE t.task OPERATOR(pg_catalog.=) job.task;
    RETURN pg_catalog.format(
        'WITH t AS MATERIALIZED (SELECT w.position, %1$s AS body FROM %2$s w JOIN %3$s r ON %4$s'
        ' WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1) ORDER BY pg_catalog.length(%1$s)),'
        ' v AS MATERIALIZED (SELECT t.position, pg_catalog.hashtextextended(t.body COLLATE "C", 0) AS hash, %5$s AS value FROM t)'
        ' SELECT pg_catalog.array_agg(ROW(v.position, v.hash, %6$s)::lmtext_internal.job_result) FROM v',
        parts.body, parts.work, parts.relation, parts.matches, lmtext_internal.job_expression(job, model),
        CASE WHEN type OPERATOR(pg_catalog.=) 'real[]' THEN 'v.value, NULL, NULL, NULL'
             WHEN type OPERATOR(pg_catalog.=) 'text' THEN 'NULL, v.value, NULL, NULL'
             WHEN type OPERATOR(pg_catalog.=) 'jsonb' THEN 'NULL, NULL, v.value, NULL' ELSE 'NULL, NULL, NULL, v.value' END);
END $$;
COMMENT ON FUNCTION lmtext_internal.compute_statement(lmtext.job, regclass) IS 'statement that computes a batch of a job';

-- The second writes the target and notes what was done, all in one; $2 is the version, $5 what was computed. Its joins are by keys,
-- whose statistics last. What a trigger or a policy kept from being written is an error. Rows that are gone leave work with the
-- next scan.
CREATE FUNCTION lmtext_internal.write_statement(job lmtext.job) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    type text;
    write text;
BEGIN
    SELECT t.type INTO type FROM lmtext_internal.job_tasks() t WHERE t.task OPERATOR(pg_catalog.=) job.task;
    write := CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN
        'UPDATE %1$s r SET %2$I = w.value FROM v w WHERE %3$s RETURNING w.position'
    ELSE
        'INSERT INTO %6$s (%4$s, %2$I) SELECT %5$s, w.value FROM v w ON CONFLICT (%4$s) DO UPDATE SET %2$I = excluded.%2$I'
    END;
    write := pg_catalog.format(write, parts.relation, job.target_column, parts.matches, parts.key_names,
        parts.work_keys, lmtext_internal.table_name(job.target));
    RETURN pg_catalog.format(
        'WITH v AS MATERIALIZED (SELECT w.position, %1$s, c.hash, c.%2$s AS value FROM %3$s w'
        ' JOIN pg_catalog.unnest($5) c ON c.position OPERATOR(pg_catalog.=) w.position'
        ' WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1) AND EXISTS (SELECT FROM %4$s r WHERE %5$s)),'
        ' written AS (%6$s),'
        ' noted AS (UPDATE %3$s w SET due = s.position IS NULL AND w.tries OPERATOR(pg_catalog.<) $3, hash = d.hash, model = $2, blank = d.value IS NULL,'
        ' at = pg_catalog.clock_timestamp(), tries = CASE WHEN s.position IS NULL THEN w.tries OPERATOR(pg_catalog.+) 1 ELSE 0 END,'
        ' retry_at = CASE WHEN s.position IS NULL THEN $4 END, key = CASE WHEN s.position IS NULL THEN %7$s END,'
        ' sqlstate = CASE WHEN s.position IS NULL THEN ''27000'' END,'
        ' message = CASE WHEN s.position IS NULL THEN ''the row was not updated: a trigger or row security keeps it'' END'
        ' FROM v d LEFT JOIN %8$s s ON s.position OPERATOR(pg_catalog.=) d.position WHERE %9$s RETURNING w.sqlstate),'
        ' gone AS (UPDATE %3$s w SET due = false, model = NULL WHERE w.due AND w.position OPERATOR(pg_catalog.=) ANY ($1)'
        ' AND NOT EXISTS (SELECT FROM v d WHERE d.position OPERATOR(pg_catalog.=) w.position))'
        ' SELECT pg_catalog.count(*) FILTER (WHERE n.sqlstate IS NULL), pg_catalog.count(n.sqlstate) FROM noted n',
        parts.work_keys,
        CASE WHEN type OPERATOR(pg_catalog.=) 'real[]' THEN 'vector' WHEN type OPERATOR(pg_catalog.=) 'text' THEN 'label'
             WHEN type OPERATOR(pg_catalog.=) 'jsonb' THEN 'object' ELSE 'number' END,
        parts.work, parts.relation, parts.matches, write, parts.key_text,
        CASE WHEN job.target OPERATOR(pg_catalog.=) job.relation THEN 'written' ELSE 'v' END, parts.same_keys);
END $$;
COMMENT ON FUNCTION lmtext_internal.write_statement(lmtext.job) IS 'statement that writes what a batch of a job has computed';

-- Errors that belong to a row: of its text, of its value, of the user's constraints and triggers. Others end the run.
CREATE FUNCTION lmtext_internal.is_row_error(state text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 1 AS $$
    SELECT pg_catalog.left(state, 2) OPERATOR(pg_catalog.=) ANY ('{09,21,22,23,27,38,39,44,54,P0}'::pg_catalog.text[]);
$$;
COMMENT ON FUNCTION lmtext_internal.is_row_error(text) IS 'whether an error belongs to a row of a batch';

-- Of a text before it is tried: what fails is not a text that came meanwhile.
CREATE FUNCTION lmtext_internal.hash_of(job lmtext.job, place bigint) RETURNS bigint
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    hash bigint;
BEGIN
    EXECUTE pg_catalog.format('SELECT %s FROM %s w JOIN %s r ON %s WHERE w.position OPERATOR(pg_catalog.=) $1',
        parts.hash, parts.work, parts.relation, parts.matches) INTO hash USING place;
    RETURN hash;
END $$;
COMMENT ON FUNCTION lmtext_internal.hash_of(lmtext.job, bigint) IS 'hash of the text of a row of a job';

-- A row that failed: tried again after a while that doubles, then left until retry_errors or another text.
CREATE FUNCTION lmtext_internal.note_error(
    job lmtext.job, model regclass, place bigint, hash bigint, state text, said text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
BEGIN
    EXECUTE pg_catalog.format(
        'UPDATE %1$s w SET due = w.tries OPERATOR(pg_catalog.<) $2, tries = w.tries OPERATOR(pg_catalog.+) 1, model = $3,'
        ' retry_at = pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) ($4 OPERATOR(pg_catalog.*) pg_catalog.power(2, w.tries)),'
        ' at = pg_catalog.clock_timestamp(), key = %2$s, sqlstate = $5, message = $6,'
        ' hash = $7 WHERE w.due AND w.position OPERATOR(pg_catalog.=) $1',
        parts.work, parts.key_text)
        USING place, lmtext_internal.job_option(job, 'retries')::int, model,
            lmtext_internal.job_option(job, 'retry_after')::interval, state, pg_catalog.left(said, 1000), hash;
END $$;
COMMENT ON FUNCTION lmtext_internal.note_error(lmtext.job, regclass, bigint, bigint, text, text) IS 'note an error of a row of a job';

-- Claims rows behind a place, in order, that no other session has, and does them. A batch with a bad row is undone;
-- its rows come again in groups of CAREFUL, and those of a group that fails one by one, each in a subtransaction: so a
-- transaction never has many. `careful` is the last place of such a batch. After a deadlock (`failed`) what is left comes again.
CREATE FUNCTION lmtext_internal.do_batch(
    job lmtext.job, model regclass, compute text, write text, INOUT place bigint, INOUT careful bigint,
    OUT claimed integer, OUT done bigint, OUT errors bigint, OUT failed text)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    careful_size CONSTANT int := 32;
    size int := lmtext_internal.job_option(job, 'batch_size')::int;
    retries int := lmtext_internal.job_option(job, 'retries')::int;
    again_at timestamptz := pg_catalog.clock_timestamp() OPERATOR(pg_catalog.+) lmtext_internal.job_option(job, 'retry_after')::interval;
    places bigint[];
    results lmtext_internal.job_result[];
    one bigint;
    row_done bigint;
    row_errors bigint;
    row_hash bigint;
    last bigint;
BEGIN
    done := 0;
    errors := 0;
    IF place OPERATOR(pg_catalog.<) careful THEN
        size := LEAST(size, careful_size);
    END IF;
    EXECUTE pg_catalog.format(
        'SELECT pg_catalog.array_agg(c.position) FROM (SELECT w.position FROM %s w WHERE w.due AND w.position OPERATOR(pg_catalog.>) $1'
        ' AND (w.retry_at IS NULL OR w.retry_at OPERATOR(pg_catalog.<=) pg_catalog.clock_timestamp())'
        ' ORDER BY w.position LIMIT $2 FOR UPDATE SKIP LOCKED) c', lmtext_internal.table_name(job.work))
        INTO places USING place, size;
    claimed := COALESCE(pg_catalog.cardinality(places), 0);
    IF claimed OPERATOR(pg_catalog.=) 0 THEN
        RETURN;
    END IF;
    last := places[claimed];
    BEGIN
        EXECUTE compute INTO results USING places;
        EXECUTE write INTO done, errors USING places, model, retries, again_at, results;
        place := last;
        RETURN;
    EXCEPTION WHEN assert_failure OR OTHERS THEN
        IF pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.=) '40' THEN
            failed := SQLSTATE; -- a deadlock with somebody's UPDATE: again
            RETURN;
        ELSIF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
            RAISE;
        END IF;
    END;
    IF claimed OPERATOR(pg_catalog.>) careful_size THEN
        careful := last;
        RETURN;
    END IF;
    done := 0;
    errors := 0;
    FOREACH one IN ARRAY places LOOP
        row_hash := lmtext_internal.hash_of(job, one);
        BEGIN
            EXECUTE compute INTO results USING ARRAY[one];
            EXECUTE write INTO row_done, row_errors USING ARRAY[one], model, retries, again_at, results;
            done := done OPERATOR(pg_catalog.+) row_done;
            errors := errors OPERATOR(pg_catalog.+) row_errors;
        EXCEPTION WHEN assert_failure OR OTHERS THEN
            IF pg_catalog.left(SQLSTATE, 2) OPERATOR(pg_catalog.=) '40' THEN
                failed := SQLSTATE;
                RETURN;
            ELSIF NOT lmtext_internal.is_row_error(SQLSTATE) THEN
                RAISE;
            END IF;
            PERFORM lmtext_internal.note_error(job, model, one, row_hash, SQLSTATE, SQLERRM);
            errors := errors OPERATOR(pg_catalog.+) 1;
        END;
    END LOOP;
    place := last;
END $$;
COMMENT ON FUNCTION lmtext_internal.do_batch(lmtext.job, regclass, text, text, bigint, bigint) IS 'claim and do the next batch of a job';

-- ---- Runs ----

CREATE FUNCTION lmtext_internal.notify_job(job text, run bigint, event text, data jsonb DEFAULT '{}') RETURNS void
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100 AS $$
    SELECT pg_catalog.pg_notify('lmtext', (pg_catalog.jsonb_build_object('event', event, 'name', job, 'run', run)
        OPERATOR(pg_catalog.||) data)::pg_catalog.text);
$$;
COMMENT ON FUNCTION lmtext_internal.notify_job(text, bigint, text, jsonb) IS 'tell who listens what a job does';

-- A line every few seconds, as a training says; the time of the last line.
CREATE FUNCTION lmtext_internal.tell_job(job text, began timestamptz, told timestamptz, done bigint, total bigint, errors bigint)
    RETURNS timestamptz LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100 AS $$
DECLARE
    every interval := COALESCE(pg_catalog.current_setting('lmtext.progress_interval', true), '5s');
    now timestamptz := pg_catalog.clock_timestamp();
    seconds float8 := EXTRACT(epoch FROM now OPERATOR(pg_catalog.-) began);
BEGIN
    IF every OPERATOR(pg_catalog.=) interval '0' OR now OPERATOR(pg_catalog.<) (told OPERATOR(pg_catalog.+) every) THEN
        RETURN told;
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s": %s of %s rows done, %s errors, about %s s left', job, done, total, errors,
        CASE WHEN done OPERATOR(pg_catalog.>) 0 THEN pg_catalog.ceil(seconds OPERATOR(pg_catalog.*)
            (total OPERATOR(pg_catalog.-) done)::pg_catalog.float8 OPERATOR(pg_catalog./) done::pg_catalog.float8)::pg_catalog.text
            ELSE '?' END);
    RETURN now;
END $$;
COMMENT ON FUNCTION lmtext_internal.tell_job(text, timestamptz, timestamptz, bigint, bigint, bigint) IS 'notice of the progress of a job';

-- The end of a run, for whoever looks and listens.
CREATE FUNCTION lmtext_internal.end_run(job lmtext.job, run bigint, done bigint, errors bigint, status text, state text, said text)
    RETURNS void LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
    SELECT lmtext_internal.notify_job((job).name, run, CASE WHEN state IS NULL THEN 'end' ELSE 'failure' END,
        pg_catalog.jsonb_build_object('status', end_run.status, 'done', end_run.done, 'errors', end_run.errors, 'sqlstate', state))
    FROM lmtext.job_run r WHERE r.id OPERATOR(pg_catalog.=) run AND r.parent IS NULL;
    SELECT lmtext_internal.write_job((job).work, 'step', pg_catalog.jsonb_build_object('id', run, 'done', done, 'errors', errors,
            'status', status, 'sqlstate', state, 'message', said));
$$;
COMMENT ON FUNCTION lmtext_internal.end_run(lmtext.job, bigint, bigint, bigint, text, text, text) IS 'note the end of a run of a job';

-- Batches until nothing is due. A row that another session had claimed, and lost, is met in the last pass.
CREATE PROCEDURE lmtext_internal.run_batches(job_name text, parent bigint)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job;
    model regclass;
    compute text;
    write text;
    run bigint;
    total bigint;
    done bigint := 0;
    errors bigint := 0;
    place bigint := 0;
    careful bigint := 0;
    in_pass bigint := 0;
    collisions int := 0;
    paused boolean;
    status text := 'done';
    began timestamptz := pg_catalog.clock_timestamp();
    told timestamptz := began;
    state text;
    said text;
    step record;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    job := lmtext_internal.own_job(job_name);
    model := lmtext_internal.resolve_model(job.model);
    compute := lmtext_internal.compute_statement(job, model);
    write := lmtext_internal.write_statement(job);
    run := lmtext_internal.write_job(job.work, 'begin', pg_catalog.jsonb_build_object('parent', parent, 'model', model::pg_catalog.oid::pg_catalog.text));
    IF parent IS NULL THEN
        PERFORM lmtext_internal.notify_job(job.name, run, 'start');
        PERFORM lmtext_internal.write_job(job.work, 'prune', '{"age": "90 days"}');
    ELSE
        total := 0; -- who started this one has scanned, and tells
    END IF;
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        SELECT j.paused INTO paused FROM lmtext.job j WHERE j.work::pg_catalog.oid OPERATOR(pg_catalog.=) job.work::pg_catalog.oid;
        IF paused THEN
            status := 'paused';
            EXIT;
        END IF;
        BEGIN
            IF total IS NULL THEN
                total := lmtext_internal.scan_job(job, model);
                step := NULL;
            ELSE
                IF collisions OPERATOR(pg_catalog.>) 0 THEN
                    PERFORM pg_catalog.pg_sleep(0.02 OPERATOR(pg_catalog.*)
                        (pg_catalog.random() OPERATOR(pg_catalog.*) pg_catalog.power(2, collisions)));
                END IF;
                step := lmtext_internal.do_batch(job, model, compute, write, place, careful);
            END IF;
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            state := SQLSTATE;
            said := SQLERRM;
        END;
        IF state IS NOT NULL THEN
            PERFORM lmtext_internal.end_run(job, run, done, errors,
                CASE WHEN state OPERATOR(pg_catalog.=) '57014' THEN 'cancelled' ELSE 'failed' END, state, said);
            COMMIT;
            RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = pg_catalog.format(
                'Job "%s" ended early; %s rows are done, and the next run goes on from there.', job.name, done);
        END IF;
        IF step IS NULL THEN
            PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'total', total));
        ELSIF step.claimed OPERATOR(pg_catalog.=) 0 THEN
            EXIT WHEN in_pass OPERATOR(pg_catalog.=) 0;
            in_pass := 0;
            place := 0;
            careful := 0;
        ELSE
            collisions := CASE WHEN step.failed IS NULL THEN 0
                WHEN step.done OPERATOR(pg_catalog.+) step.errors OPERATOR(pg_catalog.>) 0 THEN 1
                ELSE collisions OPERATOR(pg_catalog.+) 1 END;
            place := step.place;
            careful := step.careful;
            in_pass := in_pass OPERATOR(pg_catalog.+) step.claimed;
            done := done OPERATOR(pg_catalog.+) step.done;
            errors := errors OPERATOR(pg_catalog.+) step.errors;
            IF collisions OPERATOR(pg_catalog.>) 7 THEN
                state := step.failed;
                PERFORM lmtext_internal.end_run(job, run, done, errors, 'failed', state, 'other sessions collide with each batch');
                COMMIT;
                RAISE EXCEPTION USING ERRCODE = state, MESSAGE = pg_catalog.format('job "%s": other sessions collide with each batch', job.name);
            END IF;
            PERFORM lmtext_internal.write_job(job.work, 'step', pg_catalog.jsonb_build_object('id', run, 'done', done, 'errors', errors));
            IF parent IS NULL THEN
                told := lmtext_internal.tell_job(job.name, began, told, done, total, errors);
            END IF;
        END IF;
        COMMIT;
    END LOOP;
    PERFORM lmtext_internal.end_run(job, run, done, errors, status, NULL, NULL);
    COMMIT;
    IF parent IS NULL THEN
        RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s" %s: %s rows done, %s errors', job.name,
            CASE WHEN status OPERATOR(pg_catalog.=) 'paused' THEN 'was paused' ELSE 'ended' END, done, errors);
    END IF;
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_batches(text, bigint) IS 'one session''s part of a run of a job';

-- What the workers of a run have done so far, and the first error that ended one. The owner of another job may call a run of its
-- own a worker's.
CREATE FUNCTION lmtext_internal.sum_workers(
    run bigint, OUT done bigint, OUT errors bigint, OUT seen bigint, OUT status text, OUT state text, OUT said text)
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 AS $$
    SELECT COALESCE(pg_catalog.sum(r.done), 0)::bigint, COALESCE(pg_catalog.sum(r.errors), 0)::bigint, pg_catalog.count(*),
        CASE WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'running') THEN 'running'
             WHEN pg_catalog.bool_or(r.status OPERATOR(pg_catalog.=) 'paused') THEN 'paused' ELSE 'done' END,
        (pg_catalog.array_agg(r.sqlstate ORDER BY r.id) FILTER (WHERE r.sqlstate IS NOT NULL))[1],
        (pg_catalog.array_agg(m.message ORDER BY r.id) FILTER (WHERE r.sqlstate IS NOT NULL))[1]
    FROM lmtext.job_run r JOIN lmtext.job_run p ON p.id OPERATOR(pg_catalog.=) r.parent
        AND p.work::pg_catalog.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid
    JOIN lmtext_internal.own_messages m ON m.id OPERATOR(pg_catalog.=) r.id
    WHERE r.parent OPERATOR(pg_catalog.=) run;
$$;
COMMENT ON FUNCTION lmtext_internal.sum_workers(bigint) IS 'what the workers of a run have done';

-- Scans, starts workers, and waits for them. An error here or there ends all of them.
CREATE PROCEDURE lmtext_internal.run_workers(job_name text, workers integer)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job;
    model regclass;
    run bigint;
    total bigint;
    started int;
    left_over int;
    sums record;
    began timestamptz := pg_catalog.clock_timestamp();
    told timestamptz := began;
    state text;
    said text;
BEGIN
    COMMIT;
    SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
    job := lmtext_internal.own_job(job_name);
    model := lmtext_internal.resolve_model(job.model);
    run := lmtext_internal.write_job(job.work, 'begin', pg_catalog.jsonb_build_object('model', model::pg_catalog.oid::pg_catalog.text));
    PERFORM lmtext_internal.notify_job(job.name, run, 'start');
    PERFORM lmtext_internal.write_job(job.work, 'prune', '{"age": "90 days"}');
    COMMIT;
    LOOP
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        BEGIN
            IF total IS NULL THEN
                total := lmtext_internal.scan_job(job, model);
            ELSIF started IS NULL THEN
                started := lmtext_internal.start_job_workers(job.name, run, workers);
                IF started OPERATOR(pg_catalog.=) 0 THEN
                    RAISE EXCEPTION USING ERRCODE = 'configuration_limit_exceeded',
                        MESSAGE = 'no background worker could be started', HINT = 'Raise max_worker_processes.';
                END IF;
            ELSE
                PERFORM pg_catalog.pg_sleep(0.1);
            END IF;
            left_over := lmtext_internal.count_job_workers(false);
        EXCEPTION WHEN query_canceled OR assert_failure OR OTHERS THEN
            state := SQLSTATE;
            said := SQLERRM;
        END;
        IF state IS NOT NULL THEN
            left_over := lmtext_internal.count_job_workers(true);
        END IF;
        COMMIT; -- what the workers have written since is seen
        SET TRANSACTION ISOLATION LEVEL READ COMMITTED;
        sums := lmtext_internal.sum_workers(run);
        IF state IS NULL AND sums.state IS NOT NULL THEN
            state := sums.state;
            said := sums.said;
            left_over := lmtext_internal.count_job_workers(true);
        ELSIF state IS NULL AND left_over OPERATOR(pg_catalog.=) 0 AND started IS NOT NULL
                AND (sums.seen OPERATOR(pg_catalog.<) started OR sums.status OPERATOR(pg_catalog.=) 'running') THEN
            state := '57P01';
            said := 'a background worker ended without a word';
        END IF;
        EXIT WHEN state IS NOT NULL OR left_over OPERATOR(pg_catalog.=) 0 AND started IS NOT NULL;
        PERFORM lmtext_internal.write_job(job.work, 'step',
            pg_catalog.jsonb_build_object('id', run, 'total', total, 'done', sums.done, 'errors', sums.errors));
        told := lmtext_internal.tell_job(job.name, began, told, sums.done, total, sums.errors);
        COMMIT;
    END LOOP;
    PERFORM lmtext_internal.end_run(job, run, sums.done, sums.errors,
        CASE WHEN state IS NULL THEN sums.status WHEN state OPERATOR(pg_catalog.=) '57014' THEN 'cancelled' ELSE 'failed' END,
        state, said);
    COMMIT;
    IF state IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = state, MESSAGE = said, DETAIL = pg_catalog.format(
            'Job "%s" ended early; %s rows are done, and the next run goes on from there.', job.name, sums.done);
    END IF;
    RAISE NOTICE USING MESSAGE = pg_catalog.format('job "%s" %s: %s rows done by %s workers, %s errors', job.name,
        CASE WHEN sums.status OPERATOR(pg_catalog.=) 'paused' THEN 'was paused' ELSE 'ended' END, sums.done, started, sums.errors);
END $$;
COMMENT ON PROCEDURE lmtext_internal.run_workers(text, integer) IS 'a run of a job by background workers';

CREATE PROCEDURE lmtext.run_job(name text, workers integer DEFAULT 0)
    LANGUAGE plpgsql AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(run_job.name);
BEGIN
    IF job.paused THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" is paused', job.name),
            HINT = pg_catalog.format('SELECT lmtext.resume_job(%L);', job.name);
    END IF;
    IF COALESCE(workers, 0) OPERATOR(pg_catalog.=) 0 THEN
        CALL lmtext_internal.run_batches(job.name, NULL);
        RETURN;
    END IF;
    IF NOT workers OPERATOR(pg_catalog.<@) pg_catalog.int4range(1, 64, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'workers must be from 0 to 64';
    END IF;
    IF NOT (SELECT r.rolcanlogin FROM pg_catalog.pg_roles r WHERE r.rolname OPERATOR(pg_catalog.=) CURRENT_USER) THEN
        RAISE EXCEPTION USING ERRCODE = 'feature_not_supported',
            MESSAGE = pg_catalog.format('role "%s" may not log in, so no worker can run as it', CURRENT_USER),
            HINT = 'Run the job in this session: workers => 0. Several sessions may run one job at once.';
    END IF;
    CALL lmtext_internal.run_workers(job.name, workers);
END $$;
COMMENT ON PROCEDURE lmtext.run_job(text, integer) IS
    'do what is to be done for a job, batch by batch, each in a transaction of its own';

-- ---- Pause, errors ----

CREATE FUNCTION lmtext.pause_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(pause_job.name);
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"paused": true}');
END $$;
COMMENT ON FUNCTION lmtext.pause_job(text) IS 'pause a job: its runs end at the next batch, and none begins';

CREATE FUNCTION lmtext.resume_job(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(resume_job.name);
BEGIN
    PERFORM lmtext_internal.write_job(job.work, 'set', '{"paused": false}');
END $$;
COMMENT ON FUNCTION lmtext.resume_job(text) IS 'let a paused job run again; run_job begins a run';

CREATE FUNCTION lmtext.retry_errors(name text) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    job lmtext.job := lmtext_internal.own_job(retry_errors.name);
    again bigint;
BEGIN
    EXECUTE pg_catalog.format('UPDATE %s w SET due = true, tries = 0, retry_at = NULL, sqlstate = NULL, message = NULL, key = NULL'
        ' WHERE w.sqlstate IS NOT NULL', lmtext_internal.table_name(job.work));
    GET DIAGNOSTICS again = ROW_COUNT;
    RETURN again;
END $$;
COMMENT ON FUNCTION lmtext.retry_errors(text) IS 'make the rows that failed due again for the next run; returns their number';

-- ---- Views ----

CREATE VIEW lmtext.jobs AS
    SELECT j.name, pg_catalog.pg_get_userbyid(c.relowner) AS owner, j.relation, j.text_column, j.task, j.model,
           j.target, j.target_column, j.key, j.options, j.paused, j.attached, j.work
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work;
COMMENT ON VIEW lmtext.jobs IS 'jobs of this database';
COMMENT ON COLUMN lmtext.jobs.model IS 'the model, whose deployed version is used, or one version';
COMMENT ON COLUMN lmtext.jobs.target IS 'table that is written: the relation or a side table';
COMMENT ON COLUMN lmtext.jobs.key IS 'columns of the primary key of the relation';
COMMENT ON COLUMN lmtext.jobs.work IS 'table of what was done for each row; who owns it owns the job';

CREATE VIEW lmtext.job_runs AS
    SELECT j.name AS job, r.id AS run, r.started_at, r.finished_at,
           CASE WHEN r.status OPERATOR(pg_catalog.=) 'running'
                    AND NOT EXISTS (SELECT FROM pg_catalog.pg_stat_activity a WHERE a.pid OPERATOR(pg_catalog.=) r.pid)
                THEN 'interrupted' ELSE r.status END AS status,
           r.total, r.done, r.errors, r.model, r.pid, r.updated_at, r.sqlstate, m.message
    FROM lmtext.job_run r JOIN lmtext.job j ON j.work::pg_catalog.oid OPERATOR(pg_catalog.=) r.work::pg_catalog.oid
    JOIN lmtext_internal.own_messages m ON m.id OPERATOR(pg_catalog.=) r.id
    WHERE r.parent IS NULL;
COMMENT ON VIEW lmtext.job_runs IS 'runs of jobs on this server';
COMMENT ON COLUMN lmtext.job_runs.status IS
    'running, done, paused, cancelled, failed, or interrupted where the session ended without a word';
COMMENT ON COLUMN lmtext.job_runs.total IS 'rows that were due when the run began';
COMMENT ON COLUMN lmtext.job_runs.errors IS 'attempts at rows that failed';
COMMENT ON COLUMN lmtext.job_runs.message IS 'error that ended the run, for whoever has the rights of the owner; it may repeat a text';

CREATE VIEW lmtext.job_progress AS
    SELECT p.job, p.done, p.total, CASE WHEN p.seconds OPERATOR(pg_catalog.>) 0 THEN p.done::pg_catalog.float8 OPERATOR(pg_catalog./) p.seconds END AS rate,
           CASE WHEN p.done OPERATOR(pg_catalog.>) 0 THEN pg_catalog.now() OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs =>
               p.seconds OPERATOR(pg_catalog.*) (GREATEST(p.total, p.done) OPERATOR(pg_catalog.-) p.done)::pg_catalog.float8
               OPERATOR(pg_catalog./) p.done::pg_catalog.float8) END AS eta
    FROM (SELECT r.job, pg_catalog.sum(r.done OPERATOR(pg_catalog.+) r.errors)::bigint AS done, pg_catalog.max(r.total) AS total,
              EXTRACT(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) pg_catalog.min(r.started_at))::pg_catalog.float8 AS seconds
          FROM lmtext.job_runs r WHERE r.status OPERATOR(pg_catalog.=) 'running' GROUP BY r.job) p;
COMMENT ON VIEW lmtext.job_progress IS 'jobs that run now';
COMMENT ON COLUMN lmtext.job_progress.done IS 'rows that the sessions of the run have done or given up';
COMMENT ON COLUMN lmtext.job_progress.rate IS 'rows a second';
COMMENT ON COLUMN lmtext.job_progress.eta IS 'when the run will end at this pace';

-- Keys and messages are the owner's to see; and what is read here are tables of that role only.
CREATE FUNCTION lmtext_internal.job_error_list(
    OUT job text, OUT key text, OUT sqlstate text, OUT message text, OUT tries integer, OUT at timestamptz, OUT retry_at timestamptz)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT j.name, j.work FROM lmtext.job j
            JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
            WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER
                AND lmtext_internal.added_code(j, j.work) IS NULL LOOP
        RETURN QUERY EXECUTE pg_catalog.format('SELECT $1, w.key, w.sqlstate, w.message, w.tries::int, w.at,'
            ' CASE WHEN w.due THEN w.retry_at END FROM %s w WHERE w.sqlstate IS NOT NULL', lmtext_internal.table_name(one.work))
            USING one.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.job_error_list() IS 'rows that failed, of jobs of the current user';

CREATE VIEW lmtext.job_errors AS SELECT * FROM lmtext_internal.job_error_list();
COMMENT ON VIEW lmtext.job_errors IS 'rows that jobs of the current user could not do';
COMMENT ON COLUMN lmtext.job_errors.key IS 'primary key of the row, as text';
COMMENT ON COLUMN lmtext.job_errors.tries IS 'number of attempts';
COMMENT ON COLUMN lmtext.job_errors.retry_at IS 'when a run will try it again; NULL: not before lmtext.retry_errors, another text or another version';
GRANT SELECT ON lmtext.jobs, lmtext.job_runs, lmtext.job_progress, lmtext.job_errors TO PUBLIC;

-- ---- Alerts ----

-- As a job is its table of work, an alert is the table of what it has said. Its query is its author's: a new owner of the table
-- does not run it.
CREATE TABLE lmtext.alert (
    name text NOT NULL PRIMARY KEY,
    fired regclass NOT NULL UNIQUE,
    query text NOT NULL,
    condition text NOT NULL,
    author name NOT NULL
);
COMMENT ON TABLE lmtext.alert IS 'alerts; lmtext.create_alert makes them';
GRANT SELECT ON lmtext.alert TO PUBLIC;
SELECT pg_catalog.pg_extension_config_dump('lmtext.alert', '');

-- The statement of an alert: its rows, and what each is known by. A line end behind each piece ends a comment in it.
CREATE FUNCTION lmtext_internal.alert_statement(query text, condition text) RETURNS text
    LANGUAGE sql IMMUTABLE PARALLEL SAFE COST 10 AS $$
    SELECT pg_catalog.format(E'SELECT COALESCE(j.found OPERATOR(pg_catalog.->) ''key'', j.found) AS known_by, j.found'
        ' FROM (SELECT pg_catalog.to_jsonb(q) AS found FROM (%s\r) q WHERE (%s\r)) j', query, condition);
$$;
COMMENT ON FUNCTION lmtext_internal.alert_statement(text, text) IS 'statement that finds the rows of an alert';

CREATE FUNCTION lmtext.create_alert(name text, query text, condition text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
#variable_conflict use_column
DECLARE
    fired text := pg_catalog.quote_ident(pg_catalog.concat(create_alert.name, '@alert'));
    relation regclass;
BEGIN
    IF create_alert.name IS NULL OR create_alert.query IS NULL OR create_alert.condition IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'an alert needs a name, a query and a condition';
    END IF;
    IF pg_catalog.octet_length(create_alert.name) OPERATOR(pg_catalog.>) 57
            OR create_alert.name OPERATOR(pg_catalog.=) '' OR create_alert.name OPERATOR(pg_catalog.~) '@' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid alert name "%s"', lmtext_internal.shown(create_alert.name)),
            DETAIL = 'It has 1 to 57 bytes, and no "@".';
    END IF;
    IF EXISTS (SELECT FROM lmtext.alert a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.fired
            WHERE a.name OPERATOR(pg_catalog.=) create_alert.name) THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_object',
            MESSAGE = pg_catalog.format('alert "%s" already exists', create_alert.name);
    END IF;
    EXECUTE pg_catalog.concat('EXPLAIN ', lmtext_internal.alert_statement(create_alert.query, create_alert.condition));
    EXECUTE pg_catalog.format('CREATE TABLE %s (known_by jsonb NOT NULL, row jsonb NOT NULL,'
        ' at timestamptz NOT NULL DEFAULT pg_catalog.now(), holds boolean NOT NULL DEFAULT true)', fired);
    SELECT c.oid INTO relation FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n
        ON n.oid OPERATOR(pg_catalog.=) c.relnamespace AND n.nspname OPERATOR(pg_catalog.=) CURRENT_SCHEMA
    WHERE c.relname OPERATOR(pg_catalog.=) pg_catalog.concat(create_alert.name, '@alert')::pg_catalog.name;
    PERFORM lmtext_internal.write_job(relation, 'forget alerts', '{}');
    PERFORM lmtext_internal.write_job(relation, 'create alert', pg_catalog.jsonb_build_object('name', create_alert.name,
        'fired', relation::pg_catalog.oid::pg_catalog.text, 'query', create_alert.query, 'condition', create_alert.condition));
END $$;
COMMENT ON FUNCTION lmtext.create_alert(text, text, text) IS
    'create an alert on each row of a query for which a condition holds and did not at the last check; a row is known by its column key, or else by all of it';

CREATE FUNCTION lmtext_internal.own_alerts() RETURNS SETOF lmtext.alert
    LANGUAGE sql STABLE PARALLEL SAFE COST 1000 ROWS 10 AS $$
    SELECT a.* FROM lmtext.alert a JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.fired
    WHERE pg_catalog.pg_get_userbyid(c.relowner) OPERATOR(pg_catalog.=) CURRENT_USER
        AND a.author OPERATOR(pg_catalog.=) CURRENT_USER AND c.relkind OPERATOR(pg_catalog.=) 'r' ORDER BY a.name;
$$;
COMMENT ON FUNCTION lmtext_internal.own_alerts() IS 'alerts of the current user';

CREATE FUNCTION lmtext.drop_alert(name text) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    SELECT a.* INTO alert FROM lmtext_internal.own_alerts() a WHERE a.name OPERATOR(pg_catalog.=) drop_alert.name;
    IF alert.name IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_object',
            MESSAGE = pg_catalog.format('alert "%s" does not exist, or is another role''s', lmtext_internal.shown(drop_alert.name));
    END IF;
    PERFORM lmtext_internal.write_job(alert.fired, 'drop alert', '{}');
    EXECUTE pg_catalog.format('DROP TABLE %s', lmtext_internal.table_name(alert.fired));
END $$;
COMMENT ON FUNCTION lmtext.drop_alert(text) IS 'drop an alert, and what it has said';

-- One check at a time; a row that is too long for a notification is named without its columns.
CREATE FUNCTION lmtext_internal.check_alert(alert lmtext.alert) RETURNS bigint
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
DECLARE
    fired text := lmtext_internal.table_name(alert.fired);
    said bigint;
BEGIN
    EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', fired);
    EXECUTE pg_catalog.format(
        'WITH found AS MATERIALIZED (SELECT DISTINCT ON (f.known_by) f.known_by, f.found FROM (%1$s) f),'
        ' over AS (UPDATE %2$s o SET holds = false WHERE o.holds'
        ' AND NOT EXISTS (SELECT FROM found f WHERE f.known_by OPERATOR(pg_catalog.=) o.known_by)),'
        ' new AS (INSERT INTO %2$s (known_by, row) SELECT f.known_by, f.found FROM found f WHERE NOT EXISTS'
        ' (SELECT FROM %2$s o WHERE o.holds AND o.known_by OPERATOR(pg_catalog.=) f.known_by) RETURNING row)'
        ' SELECT pg_catalog.count(pg_catalog.pg_notify(''lmtext'', pg_catalog.jsonb_build_object(''event'', ''alert'', ''name'', $1, ''row'','
        ' CASE WHEN pg_catalog.octet_length(n.row::pg_catalog.text) OPERATOR(pg_catalog.<) 7000 THEN n.row END)::pg_catalog.text)) FROM new n',
        lmtext_internal.alert_statement(alert.query, alert.condition), fired) INTO said USING alert.name;
    RETURN said;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_alert(lmtext.alert) IS 'check an alert; returns the number of rows that it fired for';

CREATE PROCEDURE lmtext.check_alerts()
    LANGUAGE plpgsql AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    FOR alert IN SELECT a.* FROM lmtext_internal.own_alerts() a LOOP
        BEGIN
            PERFORM lmtext_internal.check_alert(alert);
        EXCEPTION WHEN assert_failure OR OTHERS THEN
            RAISE WARNING USING ERRCODE = SQLSTATE, MESSAGE = pg_catalog.format('alert "%s" could not be checked: %s', alert.name, SQLERRM);
        END;
    END LOOP;
END $$;
COMMENT ON PROCEDURE lmtext.check_alerts() IS 'check all alerts of the current user; one that fails does not keep others back';

CREATE FUNCTION lmtext_internal.alert_list(OUT name text, OUT found jsonb, OUT at timestamptz, OUT holds boolean)
    RETURNS SETOF record LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100000 ROWS 100 AS $$
DECLARE
    alert lmtext.alert;
BEGIN
    FOR alert IN SELECT a.* FROM lmtext_internal.own_alerts() a LOOP
        RETURN QUERY EXECUTE pg_catalog.format('SELECT $1, f.row, f.at, f.holds FROM %s f', lmtext_internal.table_name(alert.fired))
            USING alert.name;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.alert_list() IS 'rows that alerts of the current user have fired for';

CREATE VIEW lmtext.alerts AS SELECT a.name, a.found AS "row", a.at, a.holds FROM lmtext_internal.alert_list() a;
COMMENT ON VIEW lmtext.alerts IS 'rows that alerts of the current user have fired for';
COMMENT ON COLUMN lmtext.alerts.row IS 'row of the query, as an object';
COMMENT ON COLUMN lmtext.alerts.at IS 'when it was found';
COMMENT ON COLUMN lmtext.alerts.holds IS 'whether the condition held at the last check';
GRANT SELECT ON lmtext.alerts TO PUBLIC;

-- 62-versions: when the model of a column changes. A job into a new column takes the place of the old one
-- (switch_job), and until then a map lets queries of the new version search it (map_vectors). As functions of
-- jobs, those that change tables or run the user's query set no search_path.

-- ---- The switch ----

CREATE FUNCTION lmtext_internal.check_switch_options(options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    known CONSTANT jsonb := '{"keep_as": "string", "drop_old": "boolean", "allow_errors": "boolean"}';
    given jsonb := options;
    wrong record;
BEGIN
    IF pg_catalog.jsonb_typeof(given) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o.key, known OPERATOR(pg_catalog.->>) o.key AS type INTO wrong FROM pg_catalog.jsonb_each(given) o
    WHERE COALESCE(pg_catalog.jsonb_typeof(o.value) OPERATOR(pg_catalog.<>) (known OPERATOR(pg_catalog.->>) o.key), true)
    ORDER BY o.key LIMIT 1;
    IF FOUND AND wrong.type IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong.key)),
            HINT = 'Available options: keep_as, drop_old, allow_errors.';
    ELSIF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('option "%s" must be a %s', wrong.key, wrong.type);
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_switch_options(jsonb) IS 'refuses options that switch_job does not have';

-- Rows that a run of the job would do now, and with `allow_errors` false those that it could not.
CREATE FUNCTION lmtext_internal.check_complete(job lmtext.job, allow_errors boolean) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    parts record := lmtext_internal.job_parts(job);
    left_over bigint;
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s', parts.to_do) INTO left_over
        USING lmtext_internal.resolve_model(job.model);
    IF left_over OPERATOR(pg_catalog.>) 0 THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('job "%s" has %s rows left to do', job.name, left_over),
            HINT = pg_catalog.format('CALL lmtext.run_job(%L);', job.name);
    END IF;
    EXECUTE pg_catalog.format('SELECT pg_catalog.count(*) FROM %s w WHERE w.sqlstate IS NOT NULL', parts.work) INTO left_over;
    IF left_over OPERATOR(pg_catalog.>) 0 AND NOT allow_errors THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = pg_catalog.format('%s rows of job "%s" failed', left_over, job.name),
            DETAIL = 'They have no vector in the new column.',
            HINT = 'The view lmtext.job_errors lists them. Use the option {"allow_errors": true} to go without them.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_complete(lmtext.job, boolean) IS 'refuses a job that has rows left to do';

-- What would go on reading or writing the old column, whatever its name: a rename is followed by whatever reads it,
-- and a trigger of lmtext.embed_trigger looks for the name.
CREATE FUNCTION lmtext_internal.check_readers(relation regclass, column_name name) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 10000 AS $$
DECLARE
    reader text;
BEGIN
    SELECT t.tgname INTO reader FROM pg_catalog.pg_trigger t JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) t.tgfoid
    WHERE t.tgrelid OPERATOR(pg_catalog.=) relation AND p.prosrc OPERATOR(pg_catalog.=) 'lmtext_embed_trigger'
        AND pg_catalog.split_part(pg_catalog.encode(t.tgargs, 'escape'), '\000', 2) OPERATOR(pg_catalog.=)
            pg_catalog.encode(pg_catalog.convert_to(column_name::pg_catalog.text, pg_catalog.getdatabaseencoding()), 'escape') LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('trigger "%s" keeps column "%s"', reader, column_name),
            HINT = pg_catalog.format('Drop it in the same transaction: DROP TRIGGER %I ON %s;', reader, relation);
    END IF;
    SELECT pg_catalog.pg_describe_object(d.classid, d.objid, d.objsubid) INTO reader
    FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid
        AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
    WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        AND d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_rewrite'::pg_catalog.regclass,
            'pg_catalog.pg_proc'::pg_catalog.regclass, 'pg_catalog.pg_policy'::pg_catalog.regclass,
            'pg_catalog.pg_trigger'::pg_catalog.regclass, 'pg_catalog.pg_publication_rel'::pg_catalog.regclass])
    ORDER BY d.classid, d.objid LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'dependent_objects_still_exist',
            MESSAGE = pg_catalog.format('%s would go on reading the old column "%s"', reader, column_name),
            HINT = 'Drop it before the switch and create it again behind it, all in one transaction.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_readers(regclass, name) IS 'refuses a column that others would go on using';

-- Column privileges are the column's, not its name's.
CREATE FUNCTION lmtext_internal.copy_privileges(relation regclass, source name, target name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    one record;
BEGIN
    FOR one IN SELECT p.privilege_type, p.is_grantable,
            CASE WHEN p.grantee OPERATOR(pg_catalog.=) 0 THEN 'PUBLIC'
                ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(p.grantee)) END AS grantee
            FROM pg_catalog.pg_attribute a, pg_catalog.aclexplode(a.attacl) p
            WHERE a.attrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) source LOOP
        EXECUTE pg_catalog.format('GRANT %s (%I) ON %s TO %s%s', one.privilege_type, target, lmtext_internal.table_name(relation),
            one.grantee, CASE WHEN one.is_grantable THEN ' WITH GRANT OPTION' END);
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.copy_privileges(regclass, name, name) IS 'grant on a column what is granted on another';

CREATE FUNCTION lmtext_internal.count_indexes(relation regclass, column_name name) RETURNS bigint
    LANGUAGE sql STABLE PARALLEL SAFE COST 100 AS $$
    SELECT pg_catalog.count(*) FROM pg_catalog.pg_index i JOIN pg_catalog.pg_attribute a ON a.attrelid OPERATOR(pg_catalog.=) i.indrelid
    WHERE i.indrelid OPERATOR(pg_catalog.=) relation AND a.attname OPERATOR(pg_catalog.=) column_name
        AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey::smallint[]);
$$;
COMMENT ON FUNCTION lmtext_internal.count_indexes(regclass, name) IS 'number of indexes on a column';

-- The old column leaves the name: it is dropped, or goes on under another one, without having to be filled.
CREATE FUNCTION lmtext_internal.retire_column(relation regclass, column_name name, keep_as name) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 100000 AS $$
BEGIN
    IF keep_as IS NULL THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s DROP %I', lmtext_internal.table_name(relation), column_name);
        RETURN;
    END IF;
    IF (SELECT a.attnotnull FROM pg_catalog.pg_attribute a WHERE a.attrelid OPERATOR(pg_catalog.=) relation
            AND a.attname OPERATOR(pg_catalog.=) column_name) THEN
        EXECUTE pg_catalog.format('ALTER TABLE %s ALTER %I DROP NOT NULL', lmtext_internal.table_name(relation), column_name);
    END IF;
    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', lmtext_internal.table_name(relation), column_name, keep_as);
END $$;
COMMENT ON FUNCTION lmtext_internal.retire_column(regclass, name, name) IS 'drop or rename a column whose place another one takes';

-- Batches lock the table of work before the relation, and so does this. From here on nobody writes; readers go on until the columns
-- are renamed.
CREATE FUNCTION lmtext_internal.lock_switch(works regclass[], relations regclass[]) RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 10000 AS $$
DECLARE
    one regclass;
BEGIN
    FOREACH one IN ARRAY works LOOP
        EXECUTE pg_catalog.format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE', lmtext_internal.table_name(one));
    END LOOP;
    FOREACH one IN ARRAY relations LOOP
        EXECUTE pg_catalog.format('LOCK TABLE %s IN SHARE ROW EXCLUSIVE MODE', lmtext_internal.table_name(one));
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext_internal.lock_switch(regclass[], regclass[]) IS 'keep writers and batches out of what switch_job exchanges';

CREATE FUNCTION lmtext.switch_job(name text, replaces name, options jsonb DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
#variable_conflict use_column
DECLARE
    job lmtext.job := lmtext_internal.own_job(switch_job.name);
    allow_errors boolean;
    keep_as name;
    old_jobs lmtext.job[];
    old_job lmtext.job;
    attached boolean := false;
BEGIN
    IF switch_job.replaces IS NULL OR switch_job.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a switch needs a job, a column and options';
    END IF;
    PERFORM lmtext_internal.check_switch_options(switch_job.options);
    allow_errors := COALESCE((switch_job.options OPERATOR(pg_catalog.->>) 'allow_errors')::boolean, false);
    IF NOT COALESCE((switch_job.options OPERATOR(pg_catalog.->>) 'drop_old')::boolean, false) THEN
        keep_as := COALESCE(switch_job.options OPERATOR(pg_catalog.->>) 'keep_as',
            pg_catalog.concat(pg_catalog.left(switch_job.replaces::pg_catalog.text, 59), '_old'));
    END IF;
    IF switch_job.replaces OPERATOR(pg_catalog.=) ANY (ARRAY[job.target_column, job.text_column] OPERATOR(pg_catalog.||) job.key)
            OR NOT EXISTS (SELECT FROM pg_catalog.pg_attribute a
            WHERE a.attrelid OPERATOR(pg_catalog.=) job.target AND a.attname OPERATOR(pg_catalog.=) switch_job.replaces
                AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped) THEN
        RAISE EXCEPTION USING ERRCODE = 'undefined_column',
            MESSAGE = pg_catalog.format('table "%s" has no other column "%s" that job "%s" could replace', job.target,
                switch_job.replaces, job.name);
    END IF;
    IF pg_catalog.current_setting('transaction_isolation') OPERATOR(pg_catalog.<>) 'read committed' THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'lmtext.switch_job needs a transaction that is READ COMMITTED',
            DETAIL = 'Another one would not see the rows that came after it began.';
    END IF;
    SELECT COALESCE(pg_catalog.array_agg(lmtext_internal.own_job(j.name)), '{}') INTO old_jobs
    FROM lmtext.job j JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) j.work
    WHERE j.target::pg_catalog.oid OPERATOR(pg_catalog.=) job.target::pg_catalog.oid
        AND j.target_column OPERATOR(pg_catalog.=) switch_job.replaces;
    PERFORM lmtext_internal.check_readers(job.target, switch_job.replaces);
    PERFORM lmtext_internal.check_complete(job, allow_errors);
    PERFORM lmtext_internal.lock_switch(
        ARRAY(SELECT o.work FROM pg_catalog.unnest(old_jobs) o UNION SELECT job.work),
        ARRAY(SELECT DISTINCT r.relation FROM (VALUES (job.relation), (job.target)) r (relation)));
    PERFORM lmtext_internal.check_complete(job, allow_errors);
    FOREACH old_job IN ARRAY old_jobs LOOP
        attached := attached OR old_job.attached;
        PERFORM lmtext.drop_job(old_job.name);
    END LOOP;
    IF lmtext_internal.count_indexes(job.target, switch_job.replaces) OPERATOR(pg_catalog.>) 0
            AND lmtext_internal.count_indexes(job.target, job.target_column) OPERATOR(pg_catalog.=) 0 THEN
        RAISE NOTICE USING MESSAGE = pg_catalog.format('the new column "%s" has no index, and the old one has', switch_job.replaces);
    END IF;
    PERFORM lmtext_internal.copy_privileges(job.target, switch_job.replaces, job.target_column);
    PERFORM lmtext_internal.retire_column(job.target, switch_job.replaces, keep_as);
    EXECUTE pg_catalog.format('ALTER TABLE %s RENAME %I TO %I', lmtext_internal.table_name(job.target), job.target_column,
        switch_job.replaces);
    PERFORM lmtext_internal.write_job(job.work, 'retarget', pg_catalog.jsonb_build_object('target_column', switch_job.replaces));
    IF attached AND NOT job.attached THEN
        PERFORM lmtext.attach(job.name);
    END IF;
    PERFORM lmtext_internal.notify_job(job.name, NULL, 'switch', pg_catalog.jsonb_build_object('column', switch_job.replaces));
END $$;
COMMENT ON FUNCTION lmtext.switch_job(text, name, jsonb) IS
    'let the column of a job that is complete take the place of another, whose jobs are dropped';

-- ---- Maps ----

CREATE TYPE lmtext.vector_map AS (
    from_model regclass,
    to_model regclass,
    matrix real[],
    metrics jsonb
);
COMMENT ON TYPE lmtext.vector_map IS
    'a map from vectors of one version to those of another; a table of this type, "name@map", is a map';
COMMENT ON COLUMN lmtext.vector_map.from_model IS 'version of the vectors that are mapped: that of the queries';
COMMENT ON COLUMN lmtext.vector_map.to_model IS 'version of what comes of them: that of the column';
COMMENT ON COLUMN lmtext.vector_map.matrix IS 'the map: a row for each number that it makes';
COMMENT ON COLUMN lmtext.vector_map.metrics IS 'how it was fitted, and how well it finds';

CREATE FUNCTION lmtext.mapped(vector real[], map text) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_mapped' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION lmtext.mapped(real[], text) IS
    'vector of one model version as another version would have it, by a map that lmtext.map_vectors has made';

CREATE FUNCTION lmtext_internal.fit_map(
    from_vectors real[], to_vectors real[], OUT matrix real[], OUT kind text, OUT fitted bigint, OUT held_out bigint,
    OUT recall double precision, OUT unmapped double precision)
    AS 'MODULE_PATHNAME', 'lmtext_fit_map' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1000000;
COMMENT ON FUNCTION lmtext_internal.fit_map(real[], real[]) IS
    'fit a map between two versions'' vectors of the same texts, a row each';

-- Texts of a query, each once, in its order.
CREATE FUNCTION lmtext_internal.sample_texts(query text, size integer) RETURNS text[]
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    texts text[];
BEGIN
    EXECUTE pg_catalog.format('SELECT pg_catalog.array_agg(d.body ORDER BY d.place) FROM ('
        'SELECT s.body, pg_catalog.min(s.place) AS place FROM ('
        'SELECT q.body::pg_catalog.text COLLATE "C" AS body, pg_catalog.row_number() OVER () AS place FROM (%s) q (body) LIMIT %s) s'
        ' WHERE s.body OPERATOR(pg_catalog.~) ''\S'' GROUP BY s.body) d', pg_catalog.rtrim(query, E'; \t\r\n'), size) INTO texts;
    RETURN COALESCE(texts, '{}');
END $$;
COMMENT ON FUNCTION lmtext_internal.sample_texts(text, integer) IS 'first texts of a query, each once';

CREATE FUNCTION lmtext_internal.map_option(options jsonb, option text, fallback integer, low integer, high integer) RETURNS integer
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    given text := options OPERATOR(pg_catalog.->>) option;
BEGIN
    IF given IS NULL THEN
        RETURN fallback;
    END IF;
    IF given OPERATOR(pg_catalog.!~) '^[0-9]{1,9}$' OR NOT given::integer OPERATOR(pg_catalog.<@) pg_catalog.int4range(low, high, '[]') THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('option "%s" must be from %s to %s', option, low, high);
    END IF;
    RETURN given::integer;
END $$;
COMMENT ON FUNCTION lmtext_internal.map_option(jsonb, text, integer, integer, integer) IS 'option of map_vectors, or its default';

CREATE FUNCTION lmtext_internal.check_map(name text, options jsonb) RETURNS void
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 AS $$
DECLARE
    wrong text;
BEGIN
    IF pg_catalog.octet_length(name) OPERATOR(pg_catalog.>) 59 OR name OPERATOR(pg_catalog.=) '' OR name OPERATOR(pg_catalog.~) '[@."]' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_name',
            MESSAGE = pg_catalog.format('invalid map name "%s"', lmtext_internal.shown(name)),
            DETAIL = 'It has 1 to 59 bytes, and no "@", dot or quote.';
    END IF;
    IF pg_catalog.jsonb_typeof(options) OPERATOR(pg_catalog.<>) 'object' THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value', MESSAGE = 'options must be a JSON object';
    END IF;
    SELECT o INTO wrong FROM pg_catalog.jsonb_object_keys(options) o WHERE o OPERATOR(pg_catalog.<>) ALL ('{sample,seconds}'::pg_catalog.text[]);
    IF FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_parameter_value',
            MESSAGE = pg_catalog.format('unknown option "%s"', lmtext_internal.shown(wrong)),
            HINT = 'Available options: sample, seconds.';
    END IF;
END $$;
COMMENT ON FUNCTION lmtext_internal.check_map(text, jsonb) IS 'refuses a name or options that no map can have';

-- Texts are embedded by both versions, block by block, for two thirds of the time that there is; the fit takes the rest.
CREATE FUNCTION lmtext_internal.embed_both(
    texts text[], from_model regclass, to_model regclass, seconds integer, OUT from_vectors real[], OUT to_vectors real[])
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    block CONSTANT integer := 64;
    began timestamptz := pg_catalog.clock_timestamp();
    bodies text[];
BEGIN
    FOR place IN 1 .. pg_catalog.cardinality(texts) BY block LOOP
        EXIT WHEN pg_catalog.clock_timestamp() OPERATOR(pg_catalog.>)
            (began OPERATOR(pg_catalog.+) pg_catalog.make_interval(secs => seconds::double precision OPERATOR(pg_catalog.*) 0.67));
        bodies := texts[place : place OPERATOR(pg_catalog.+) block OPERATOR(pg_catalog.-) 1];
        from_vectors := from_vectors OPERATOR(pg_catalog.||) lmtext.embed_document(bodies, from_model);
        to_vectors := to_vectors OPERATOR(pg_catalog.||) lmtext.embed_document(bodies, to_model);
    END LOOP;
    from_vectors := COALESCE(from_vectors, '{}');
    to_vectors := COALESCE(to_vectors, '{}');
END $$;
COMMENT ON FUNCTION lmtext_internal.embed_both(text[], regclass, regclass, integer) IS 'vectors of texts by two versions';

CREATE FUNCTION lmtext.map_vectors(name text, from_model text, to_model text, query text, options jsonb DEFAULT '{}') RETURNS jsonb
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 AS $$
DECLARE
    began timestamptz := pg_catalog.clock_timestamp();
    sample integer;
    seconds integer;
    from_version regclass;
    to_version regclass;
    vectors record;
    fit record;
    metrics jsonb;
    map text;
BEGIN
    IF map_vectors.name IS NULL OR map_vectors.from_model IS NULL OR map_vectors.to_model IS NULL OR map_vectors.query IS NULL
            OR map_vectors.options IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'null_value_not_allowed', MESSAGE = 'a map needs a name, two models, a query and options';
    END IF;
    PERFORM lmtext_internal.check_map(map_vectors.name, map_vectors.options);
    IF pg_catalog.current_schema() IS NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'invalid_schema_name', MESSAGE = 'no schema has been selected to create in';
    END IF;
    map := pg_catalog.format('%I.%I', pg_catalog.current_schema(), pg_catalog.concat(map_vectors.name, '@map'));
    IF pg_catalog.to_regclass(map) IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'duplicate_table', MESSAGE = pg_catalog.format('map "%s" already exists', map_vectors.name),
            HINT = pg_catalog.format('DROP TABLE %s;', map);
    END IF;
    sample := lmtext_internal.map_option(map_vectors.options, 'sample', 2000, 100, 20000);
    seconds := lmtext_internal.map_option(map_vectors.options, 'seconds', 30, 1, 86400);
    from_version := lmtext_internal.resolve_model(map_vectors.from_model);
    to_version := lmtext_internal.resolve_model(map_vectors.to_model);
    vectors := lmtext_internal.embed_both(lmtext_internal.sample_texts(map_vectors.query, sample), from_version, to_version, seconds);
    fit := lmtext_internal.fit_map(vectors.from_vectors, vectors.to_vectors);
    metrics := pg_catalog.jsonb_build_object('kind', fit.kind, 'texts', COALESCE(pg_catalog.array_length(vectors.from_vectors, 1), 0),
        'fitted', fit.fitted, 'held_out', fit.held_out, 'recall_at_10', fit.recall, 'recall_at_10_unmapped', fit.unmapped,
        'seconds', pg_catalog.round(EXTRACT(epoch FROM pg_catalog.clock_timestamp() OPERATOR(pg_catalog.-) began), 1));
    EXECUTE pg_catalog.format('CREATE TABLE %s OF lmtext.vector_map', map);
    EXECUTE pg_catalog.format('COMMENT ON TABLE %s IS %L', map, pg_catalog.format('lmtext map %s: vectors of %s as %s would have them', map_vectors.name, from_version, to_version));
    EXECUTE pg_catalog.format('INSERT INTO %s VALUES ($1, $2, $3, $4)', map)
        USING from_version, to_version, fit.matrix, metrics;
    RETURN metrics;
END $$;
COMMENT ON FUNCTION lmtext.map_vectors(text, text, text, text, jsonb) IS
    'fit a map on texts of a query, so that queries of one model version can search vectors of another; returns how well it finds';
