-- 41-metrics: how well predicted labels match actual ones, as scikit-learn defines it, and how well a model expects a text. Labels are values
-- of any type, equal by the type's own equality. Rows in which either label is NULL are left out.

CREATE FUNCTION lmtext_internal.accuracy_accum(state bigint[], actual anycompatible, predicted anycompatible)
    RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'lmtext_accuracy_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.accuracy_accum(bigint[], anycompatible, anycompatible) IS
    'internal: part of the aggregate accuracy';

CREATE FUNCTION lmtext_internal.accuracy_combine(state bigint[], more bigint[]) RETURNS bigint[]
    AS 'MODULE_PATHNAME', 'lmtext_accuracy_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.accuracy_combine(bigint[], bigint[]) IS
    'internal: part of the aggregate accuracy';

CREATE FUNCTION lmtext_internal.accuracy_final(state bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_accuracy_final' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.accuracy_final(bigint[]) IS 'internal: part of the aggregate accuracy';

CREATE AGGREGATE lmtext.accuracy(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.accuracy_accum,
    STYPE = bigint[],
    INITCOND = '{0,0}',
    COMBINEFUNC = lmtext_internal.accuracy_combine,
    FINALFUNC = lmtext_internal.accuracy_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.accuracy(anycompatible, anycompatible) IS
    'share of rows in which the predicted value equals the actual one';

CREATE FUNCTION lmtext_internal.f1_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.f1_accum(internal, anycompatible, anycompatible) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_accum(
    state internal, actual anycompatible, predicted anycompatible, average text) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.f1_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_accum(
    state internal, actual anycompatible, predicted anycompatible, average text, label anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.f1_accum(internal, anycompatible, anycompatible, text, anycompatible) IS
    'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_combine(internal, internal) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_f1_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_serialize(internal) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_f1_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_deserialize(bytea, internal) IS 'internal: part of the aggregate f1';

CREATE FUNCTION lmtext_internal.f1_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_f1_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.f1_final(internal) IS 'internal: part of the aggregate f1';

CREATE AGGREGATE lmtext.f1(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.f1_combine,
    SERIALFUNC = lmtext_internal.f1_serialize,
    DESERIALFUNC = lmtext_internal.f1_deserialize,
    FINALFUNC = lmtext_internal.f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.f1(anycompatible, anycompatible) IS 'mean of the F1 scores of all labels (macro)';

CREATE AGGREGATE lmtext.f1(actual anycompatible, predicted anycompatible, average text) (
    SFUNC = lmtext_internal.f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.f1_combine,
    SERIALFUNC = lmtext_internal.f1_serialize,
    DESERIALFUNC = lmtext_internal.f1_deserialize,
    FINALFUNC = lmtext_internal.f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.f1(anycompatible, anycompatible, text) IS
    'F1 score over all labels; average is micro, macro or weighted';

CREATE AGGREGATE lmtext.f1(actual anycompatible, predicted anycompatible, average text, label anycompatible) (
    SFUNC = lmtext_internal.f1_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.f1_combine,
    SERIALFUNC = lmtext_internal.f1_serialize,
    DESERIALFUNC = lmtext_internal.f1_deserialize,
    FINALFUNC = lmtext_internal.f1_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.f1(anycompatible, anycompatible, text, anycompatible) IS
    'F1 score of one label; average is binary';

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

-- These run a query as the caller, who could run it as well; they write nothing.

CREATE FUNCTION lmtext.classification_report(query text)
    RETURNS TABLE (label text, "precision" double precision, recall double precision,
                   f1 double precision, support bigint, summary boolean)
    AS 'MODULE_PATHNAME', 'lmtext_classification_report' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.classification_report(text) IS
    'precision, recall and F1 of each label over a query of (actual, predicted), then their averages, marked by the column summary';

CREATE FUNCTION lmtext.confusion_matrix(query text)
    RETURNS TABLE (actual text, predicted text, count bigint)
    AS 'MODULE_PATHNAME', 'lmtext_confusion_matrix' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 100;
COMMENT ON FUNCTION lmtext.confusion_matrix(text) IS
    'number of rows of each pair of labels in a query of (actual, predicted)';
