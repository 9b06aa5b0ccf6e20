-- 74-text_measures: how good generated text is, each measure by the definition of the library that people quote: sacrebleu (bleu, chrf, ter),
-- jiwer (wer, cer), rouge-score (rouge), nltk (meteor), the script of SQuAD 1.1 (exact_match, squad_f1). Rows with a NULL are left out.

-- bleu

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text, tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text, text) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text, tokenizer text, smooth text, lowercase boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text, text, text, boolean) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text[]) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text[], tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text[], text) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_accum(state internal, hypothesis text, reference text[], tokenizer text, smooth text, lowercase boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.bleu_accum(internal, text, text[], text, text, boolean) IS
    'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_combine(internal, internal) IS 'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_bleu_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_serialize(internal) IS 'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_bleu_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_deserialize(bytea, internal) IS 'internal: part of the aggregate bleu';

CREATE FUNCTION lmtext_internal.bleu_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_bleu_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.bleu_final(internal) IS 'internal: part of the aggregate bleu';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text, tokenizer text) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text, text) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text, tokenizer text, smooth text, lowercase boolean) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text, text, text, boolean) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text[]) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text[], tokenizer text) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text[], text) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.bleu(hypothesis text, reference text[], tokenizer text, smooth text, lowercase boolean) (
    SFUNC = lmtext_internal.bleu_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.bleu_combine,
    SERIALFUNC = lmtext_internal.bleu_serialize,
    DESERIALFUNC = lmtext_internal.bleu_deserialize,
    FINALFUNC = lmtext_internal.bleu_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.bleu(text, text[], text, text, boolean) IS
    'BLEU of a corpus, 0 to 100, as sacrebleu has it, with several references for a row';

-- chrf

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text, word_order bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text, bigint) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text[]) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_accum(state internal, hypothesis text, reference text[], word_order bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.chrf_accum(internal, text, text[], bigint) IS
    'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_combine(internal, internal) IS 'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_chrf_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_serialize(internal) IS 'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_chrf_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_deserialize(bytea, internal) IS 'internal: part of the aggregate chrf';

CREATE FUNCTION lmtext_internal.chrf_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_chrf_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.chrf_final(internal) IS 'internal: part of the aggregate chrf';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text, word_order bigint) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text, bigint) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text[]) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.chrf(hypothesis text, reference text[], word_order bigint) (
    SFUNC = lmtext_internal.chrf_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.chrf_combine,
    SERIALFUNC = lmtext_internal.chrf_serialize,
    DESERIALFUNC = lmtext_internal.chrf_deserialize,
    FINALFUNC = lmtext_internal.chrf_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.chrf(text, text[], bigint) IS
    'chrF2 of a corpus, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it, with several references for a row';

-- ter

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text, boolean, boolean, boolean) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean, asian_support boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text, boolean, boolean, boolean, boolean) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text[]) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text[], boolean, boolean, boolean) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_accum(state internal, hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean, asian_support boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext_internal.ter_accum(internal, text, text[], boolean, boolean, boolean, boolean) IS
    'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_combine(internal, internal) IS 'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ter_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_serialize(internal) IS 'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ter_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_deserialize(bytea, internal) IS 'internal: part of the aggregate ter';

CREATE FUNCTION lmtext_internal.ter_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ter_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ter_final(internal) IS 'internal: part of the aggregate ter';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text, boolean, boolean, boolean) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean, asian_support boolean) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text, boolean, boolean, boolean, boolean) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text[]) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text[], boolean, boolean, boolean) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it, with several references for a row';

CREATE AGGREGATE lmtext.ter(hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean, asian_support boolean) (
    SFUNC = lmtext_internal.ter_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ter_combine,
    SERIALFUNC = lmtext_internal.ter_serialize,
    DESERIALFUNC = lmtext_internal.ter_deserialize,
    FINALFUNC = lmtext_internal.ter_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ter(text, text[], boolean, boolean, boolean, boolean) IS
    'translation edit rate of a corpus, in percent, as sacrebleu has it, with several references for a row';

-- wer

CREATE FUNCTION lmtext_internal.wer_accum(state internal, reference text, hypothesis text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_wer_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.wer_accum(internal, text, text) IS
    'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_wer_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_combine(internal, internal) IS 'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_wer_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_serialize(internal) IS 'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_wer_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_deserialize(bytea, internal) IS 'internal: part of the aggregate wer';

CREATE FUNCTION lmtext_internal.wer_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_wer_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.wer_final(internal) IS 'internal: part of the aggregate wer';

CREATE AGGREGATE lmtext.wer(reference text, hypothesis text) (
    SFUNC = lmtext_internal.wer_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.wer_combine,
    SERIALFUNC = lmtext_internal.wer_serialize,
    DESERIALFUNC = lmtext_internal.wer_deserialize,
    FINALFUNC = lmtext_internal.wer_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.wer(text, text) IS
    'word error rate of a corpus: edits for a word of the references';

-- cer

CREATE FUNCTION lmtext_internal.cer_accum(state internal, reference text, hypothesis text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cer_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.cer_accum(internal, text, text) IS
    'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cer_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_combine(internal, internal) IS 'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_cer_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_serialize(internal) IS 'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cer_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_deserialize(bytea, internal) IS 'internal: part of the aggregate cer';

CREATE FUNCTION lmtext_internal.cer_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cer_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cer_final(internal) IS 'internal: part of the aggregate cer';

CREATE AGGREGATE lmtext.cer(reference text, hypothesis text) (
    SFUNC = lmtext_internal.cer_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cer_combine,
    SERIALFUNC = lmtext_internal.cer_serialize,
    DESERIALFUNC = lmtext_internal.cer_deserialize,
    FINALFUNC = lmtext_internal.cer_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cer(text, text) IS
    'character error rate of a corpus: edits for a character of the references';

-- rouge

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text, variant text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text, text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text, variant text, stem boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text, text, boolean) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text, variant text, stem boolean, tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text, text, boolean, text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text[], variant text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text[], text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text[], variant text, stem boolean) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text[], text, boolean) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_accum(state internal, hypothesis text, reference text[], variant text, stem boolean, tokenizer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.rouge_accum(internal, text, text[], text, boolean, text) IS
    'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_combine(internal, internal) IS 'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_rouge_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_serialize(internal) IS 'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_rouge_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_deserialize(bytea, internal) IS 'internal: part of the aggregate rouge';

CREATE FUNCTION lmtext_internal.rouge_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_rouge_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.rouge_final(internal) IS 'internal: part of the aggregate rouge';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text, variant text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text, text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text, variant text, stem boolean) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text, text, boolean) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text, variant text, stem boolean, tokenizer text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text, text, boolean, text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text[], variant text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text[], text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum, with several references for a row';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text[], variant text, stem boolean) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text[], text, boolean) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum, with several references for a row';

CREATE AGGREGATE lmtext.rouge(hypothesis text, reference text[], variant text, stem boolean, tokenizer text) (
    SFUNC = lmtext_internal.rouge_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.rouge_combine,
    SERIALFUNC = lmtext_internal.rouge_serialize,
    DESERIALFUNC = lmtext_internal.rouge_deserialize,
    FINALFUNC = lmtext_internal.rouge_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.rouge(text, text[], text, boolean, text) IS
    'mean ROUGE F-measure, 0 to 1, as rouge-score has it; variant is rouge1 to rouge4, rougeL or rougeLsum, with several references for a row';

-- meteor

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text, synonyms text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text, text) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text[]) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_accum(state internal, hypothesis text, reference text[], synonyms text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.meteor_accum(internal, text, text[], text) IS
    'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_combine(internal, internal) IS 'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_meteor_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_serialize(internal) IS 'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_meteor_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_deserialize(bytea, internal) IS 'internal: part of the aggregate meteor';

CREATE FUNCTION lmtext_internal.meteor_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_meteor_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.meteor_final(internal) IS 'internal: part of the aggregate meteor';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text) IS
    'mean METEOR score, 0 to 1, as nltk has it';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text, synonyms text) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text, text) IS
    'mean METEOR score, 0 to 1, as nltk has it';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text[]) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text[]) IS
    'mean METEOR score, 0 to 1, as nltk has it, with several references for a row';

CREATE AGGREGATE lmtext.meteor(hypothesis text, reference text[], synonyms text) (
    SFUNC = lmtext_internal.meteor_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.meteor_combine,
    SERIALFUNC = lmtext_internal.meteor_serialize,
    DESERIALFUNC = lmtext_internal.meteor_deserialize,
    FINALFUNC = lmtext_internal.meteor_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.meteor(text, text[], text) IS
    'mean METEOR score, 0 to 1, as nltk has it, with several references for a row';

-- exact_match

CREATE FUNCTION lmtext_internal.exact_match_accum(state internal, prediction text, answer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.exact_match_accum(internal, text, text) IS
    'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_accum(state internal, prediction text, answers text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.exact_match_accum(internal, text, text[]) IS
    'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_combine(internal, internal) IS 'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_serialize(internal) IS 'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_deserialize(bytea, internal) IS 'internal: part of the aggregate exact_match';

CREATE FUNCTION lmtext_internal.exact_match_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_exact_match_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.exact_match_final(internal) IS 'internal: part of the aggregate exact_match';

CREATE AGGREGATE lmtext.exact_match(prediction text, answer text) (
    SFUNC = lmtext_internal.exact_match_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.exact_match_combine,
    SERIALFUNC = lmtext_internal.exact_match_serialize,
    DESERIALFUNC = lmtext_internal.exact_match_deserialize,
    FINALFUNC = lmtext_internal.exact_match_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.exact_match(text, text) IS
    'percentage of predictions that equal an answer, as the script of SQuAD 1.1 compares them';

CREATE AGGREGATE lmtext.exact_match(prediction text, answers text[]) (
    SFUNC = lmtext_internal.exact_match_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.exact_match_combine,
    SERIALFUNC = lmtext_internal.exact_match_serialize,
    DESERIALFUNC = lmtext_internal.exact_match_deserialize,
    FINALFUNC = lmtext_internal.exact_match_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.exact_match(text, text[]) IS
    'percentage of predictions that equal an answer, as the script of SQuAD 1.1 compares them, with several answers for a row';

-- squad_f1

CREATE FUNCTION lmtext_internal.squad_f1_accum(state internal, prediction text, answer text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.squad_f1_accum(internal, text, text) IS
    'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_accum(state internal, prediction text, answers text[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.squad_f1_accum(internal, text, text[]) IS
    'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_combine(internal, internal) IS 'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_serialize(internal) IS 'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_deserialize(bytea, internal) IS 'internal: part of the aggregate squad_f1';

CREATE FUNCTION lmtext_internal.squad_f1_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_squad_f1_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.squad_f1_final(internal) IS 'internal: part of the aggregate squad_f1';

CREATE AGGREGATE lmtext.squad_f1(prediction text, answer text) (
    SFUNC = lmtext_internal.squad_f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.squad_f1_combine,
    SERIALFUNC = lmtext_internal.squad_f1_serialize,
    DESERIALFUNC = lmtext_internal.squad_f1_deserialize,
    FINALFUNC = lmtext_internal.squad_f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.squad_f1(text, text) IS
    'mean F1 of the words of predictions and answers, 0 to 100, as the script of SQuAD 1.1 has it';

CREATE AGGREGATE lmtext.squad_f1(prediction text, answers text[]) (
    SFUNC = lmtext_internal.squad_f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.squad_f1_combine,
    SERIALFUNC = lmtext_internal.squad_f1_serialize,
    DESERIALFUNC = lmtext_internal.squad_f1_deserialize,
    FINALFUNC = lmtext_internal.squad_f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.squad_f1(text, text[]) IS
    'mean F1 of the words of predictions and answers, 0 to 100, as the script of SQuAD 1.1 has it, with several answers for a row';

-- distinct_n

CREATE FUNCTION lmtext_internal.distinct_n_accum(state internal, body text, n bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext_internal.distinct_n_accum(internal, text, bigint) IS
    'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_combine(internal, internal) IS 'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_serialize(internal) IS 'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_deserialize(bytea, internal) IS 'internal: part of the aggregate distinct_n';

CREATE FUNCTION lmtext_internal.distinct_n_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_distinct_n_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.distinct_n_final(internal) IS 'internal: part of the aggregate distinct_n';

CREATE AGGREGATE lmtext.distinct_n(body text, n bigint) (
    SFUNC = lmtext_internal.distinct_n_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.distinct_n_combine,
    SERIALFUNC = lmtext_internal.distinct_n_serialize,
    DESERIALFUNC = lmtext_internal.distinct_n_deserialize,
    FINALFUNC = lmtext_internal.distinct_n_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.distinct_n(text, bigint) IS
    'share of n-grams of words that differ from all others, 0 to 1';

-- perplexity

CREATE FUNCTION lmtext_internal.perplexity_accum(state internal, log_probability double precision, tokens bigint) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.perplexity_accum(internal, double precision, bigint) IS
    'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_combine(internal, internal) IS 'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_serialize(internal) IS 'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_deserialize(bytea, internal) IS 'internal: part of the aggregate perplexity';

CREATE FUNCTION lmtext_internal.perplexity_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_perplexity_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.perplexity_final(internal) IS 'internal: part of the aggregate perplexity';

CREATE AGGREGATE lmtext.perplexity(log_probability double precision, tokens bigint) (
    SFUNC = lmtext_internal.perplexity_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.perplexity_combine,
    SERIALFUNC = lmtext_internal.perplexity_serialize,
    DESERIALFUNC = lmtext_internal.perplexity_deserialize,
    FINALFUNC = lmtext_internal.perplexity_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.perplexity(double precision, bigint) IS
    'e to the mean negative log probability of a token';

-- Of one row.

CREATE FUNCTION lmtext.sentence_bleu(hypothesis text, reference text, tokenizer text DEFAULT '13a', smooth text DEFAULT 'exp', lowercase boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_bleu' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_bleu(text, text, text, text, boolean) IS
    'BLEU of one text with effective order, 0 to 100, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_bleu(hypothesis text, reference text[], tokenizer text DEFAULT '13a', smooth text DEFAULT 'exp', lowercase boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_bleu' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_bleu(text, text[], text, text, boolean) IS
    'BLEU of one text with effective order, 0 to 100, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_chrf(hypothesis text, reference text, word_order bigint DEFAULT 0)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_chrf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_chrf(text, text, bigint) IS
    'chrF2 of one text, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_chrf(hypothesis text, reference text[], word_order bigint DEFAULT 0)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_chrf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_chrf(text, text[], bigint) IS
    'chrF2 of one text, with word_order 2 chrF2++, 0 to 100, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_ter(hypothesis text, reference text, normalized boolean DEFAULT false, no_punct boolean DEFAULT false, case_sensitive boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_ter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_ter(text, text, boolean, boolean, boolean) IS
    'translation edit rate of one text, in percent, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_ter(hypothesis text, reference text, normalized boolean, no_punct boolean, case_sensitive boolean, asian_support boolean)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_ter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_ter(text, text, boolean, boolean, boolean, boolean) IS
    'translation edit rate of one text, in percent, as sacrebleu has it';

CREATE FUNCTION lmtext.sentence_ter(hypothesis text, reference text[], normalized boolean DEFAULT false, no_punct boolean DEFAULT false, case_sensitive boolean DEFAULT false)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_ter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_ter(text, text[], boolean, boolean, boolean) IS
    'translation edit rate of one text, in percent, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_ter(hypothesis text, reference text[], normalized boolean, no_punct boolean, case_sensitive boolean, asian_support boolean)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_ter' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 50;
COMMENT ON FUNCTION lmtext.sentence_ter(text, text[], boolean, boolean, boolean, boolean) IS
    'translation edit rate of one text, in percent, as sacrebleu has it, with several references';

CREATE FUNCTION lmtext.sentence_rouge(hypothesis text, reference text, variant text, stem boolean DEFAULT false, tokenizer text DEFAULT 'ascii')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_rouge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_rouge(text, text, text, boolean, text) IS
    'ROUGE F-measure of one text, 0 to 1, as rouge-score has it';

CREATE FUNCTION lmtext.sentence_rouge(hypothesis text, reference text[], variant text, stem boolean DEFAULT false, tokenizer text DEFAULT 'ascii')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_rouge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_rouge(text, text[], text, boolean, text) IS
    'ROUGE F-measure of one text, 0 to 1, as rouge-score has it, with several references';

CREATE FUNCTION lmtext.sentence_meteor(hypothesis text, reference text, synonyms text DEFAULT '')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_meteor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_meteor(text, text, text) IS
    'METEOR score of one text, 0 to 1, as nltk has it';

CREATE FUNCTION lmtext.sentence_meteor(hypothesis text, reference text[], synonyms text DEFAULT '')
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_meteor' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_meteor(text, text[], text) IS
    'METEOR score of one text, 0 to 1, as nltk has it, with several references';

CREATE FUNCTION lmtext.sentence_wer(reference text, hypothesis text)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_wer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_wer(text, text) IS
    'word error rate of one text';

CREATE FUNCTION lmtext.sentence_cer(reference text, hypothesis text)
    RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_sentence_cer' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION lmtext.sentence_cer(text, text) IS
    'character error rate of one text';
