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

-- 90-monitoring: epoch, learning rate, gradient norm and measures of trainings.
CREATE FUNCTION lmtext_internal.get_train_curve(
    OUT run bigint, OUT model text, OUT step integer, OUT loss double precision,
    OUT held_out_loss double precision, OUT held_out_accuracy double precision,
    OUT at timestamptz, OUT epoch integer, OUT learning_rate double precision,
    OUT gradient_norm double precision, OUT measures jsonb)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'lmtext_get_train_curve'
    LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100 ROWS 100;
COMMENT ON FUNCTION lmtext_internal.get_train_curve() IS
    'curves of the trainings of train_runs, thinned to at most 128 points each';

CREATE OR REPLACE VIEW lmtext.train_log AS SELECT * FROM lmtext_internal.get_train_curve() ORDER BY run, step;
COMMENT ON COLUMN lmtext.train_log.epoch IS 'counted from 1; NULL for methods without epochs';
COMMENT ON COLUMN lmtext.train_log.learning_rate IS 'of the step, by the schedule; NULL for methods without one';
COMMENT ON COLUMN lmtext.train_log.gradient_norm IS 'of the step, before clipping; NULL for methods without one';
COMMENT ON COLUMN lmtext.train_log.measures IS
    'figures on the held-out rows by name, at the end of an epoch; NULL if there are none';
DROP FUNCTION lmtext_internal.get_train_log();

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

-- 33-tag: tags of words.
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

-- 32-classify: all labels that hold of a text.

CREATE FUNCTION lmtext.labels(text text, model text DEFAULT NULL, min_score real DEFAULT 0.5)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels' LANGUAGE C STABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text, text, real) IS
    'labels of a text whose score is at least min_score, highest first: all that hold, by a model of several labels a text';

CREATE FUNCTION lmtext.labels(
        text text, model regclass, min_score real DEFAULT 0.5, on_long text DEFAULT 'truncate')
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 100000
    SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text, regclass, real, text) IS
    'labels of a text whose score is at least min_score, highest first (version pinned)';

CREATE FUNCTION lmtext.labels(texts text[], model text DEFAULT NULL, min_score real DEFAULT 0.5)
    RETURNS TABLE (ordinality bigint, labels text[])
    AS 'MODULE_PATHNAME', 'lmtext_labels_array' LANGUAGE C STABLE PARALLEL SAFE COST 1000000
    ROWS 100 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text[], text, real) IS
    'labels of each text of an array whose score is at least min_score, highest first, computed as one batch';

CREATE FUNCTION lmtext.labels(
        texts text[], model regclass, min_score real DEFAULT 0.5, on_long text DEFAULT 'truncate')
    RETURNS TABLE (ordinality bigint, labels text[])
    AS 'MODULE_PATHNAME', 'lmtext_labels_array' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 1000000
    ROWS 100 SUPPORT lmtext_internal.embed_support;
COMMENT ON FUNCTION lmtext.labels(text[], regclass, real, text) IS
    'labels of each text of an array whose score is at least min_score, highest first, computed as one batch (version pinned)';

CREATE FUNCTION lmtext.labels(vector real[], model text DEFAULT NULL, min_score real DEFAULT 0.5)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels_vector' LANGUAGE C STABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.labels(real[], text, real) IS
    'labels whose score is at least min_score for an embedding by the base of the model, highest first';

CREATE FUNCTION lmtext.labels(vector real[], model regclass, min_score real DEFAULT 0.5)
    RETURNS text[]
    AS 'MODULE_PATHNAME', 'lmtext_labels_vector' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.labels(real[], regclass, real) IS
    'labels whose score is at least min_score for an embedding by the base of the model, highest first (version pinned)';

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
