-- 73-scores: measures of labels, scores and rankings, as scikit-learn and scipy define them, and reports on tags, models and samples. Rows
-- in which an argument is NULL are left out; what is undefined is NULL.

CREATE FUNCTION lmtext_internal.balanced_accuracy_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_combine(internal, internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_serialize(internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_deserialize(bytea, internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE FUNCTION lmtext_internal.balanced_accuracy_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_balanced_accuracy_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.balanced_accuracy_final(internal) IS 'internal: part of the aggregate balanced_accuracy';

CREATE AGGREGATE lmtext.balanced_accuracy(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.balanced_accuracy_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.balanced_accuracy_combine,
    SERIALFUNC = lmtext_internal.balanced_accuracy_serialize,
    DESERIALFUNC = lmtext_internal.balanced_accuracy_deserialize,
    FINALFUNC = lmtext_internal.balanced_accuracy_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.balanced_accuracy(anycompatible, anycompatible) IS
    'mean recall of the labels that occur as actual ones';

CREATE FUNCTION lmtext_internal.precision_score_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.precision_score_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_accum(state internal, actual anycompatible, predicted anycompatible, average text)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.precision_score_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_accum(state internal, actual anycompatible, predicted anycompatible, average text, label anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.precision_score_accum(internal, anycompatible, anycompatible, text, anycompatible) IS
    'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_combine(internal, internal) IS 'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_serialize(internal) IS 'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_deserialize(bytea, internal) IS 'internal: part of the aggregate precision_score';

CREATE FUNCTION lmtext_internal.precision_score_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_precision_score_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.precision_score_final(internal) IS 'internal: part of the aggregate precision_score';

CREATE AGGREGATE lmtext.precision_score(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.precision_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.precision_score_combine,
    SERIALFUNC = lmtext_internal.precision_score_serialize,
    DESERIALFUNC = lmtext_internal.precision_score_deserialize,
    FINALFUNC = lmtext_internal.precision_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.precision_score(anycompatible, anycompatible) IS
    'mean of the precision of all labels (macro)';

CREATE AGGREGATE lmtext.precision_score(actual anycompatible, predicted anycompatible, average text) (
    SFUNC = lmtext_internal.precision_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.precision_score_combine,
    SERIALFUNC = lmtext_internal.precision_score_serialize,
    DESERIALFUNC = lmtext_internal.precision_score_deserialize,
    FINALFUNC = lmtext_internal.precision_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.precision_score(anycompatible, anycompatible, text) IS
    'precision over all labels; average is micro, macro or weighted';

CREATE AGGREGATE lmtext.precision_score(actual anycompatible, predicted anycompatible, average text, label anycompatible) (
    SFUNC = lmtext_internal.precision_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.precision_score_combine,
    SERIALFUNC = lmtext_internal.precision_score_serialize,
    DESERIALFUNC = lmtext_internal.precision_score_deserialize,
    FINALFUNC = lmtext_internal.precision_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.precision_score(anycompatible, anycompatible, text, anycompatible) IS
    'precision of one label; average is binary';

CREATE FUNCTION lmtext_internal.recall_score_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.recall_score_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_accum(state internal, actual anycompatible, predicted anycompatible, average text)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.recall_score_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_accum(state internal, actual anycompatible, predicted anycompatible, average text, label anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.recall_score_accum(internal, anycompatible, anycompatible, text, anycompatible) IS
    'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_combine(internal, internal) IS 'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_serialize(internal) IS 'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_deserialize(bytea, internal) IS 'internal: part of the aggregate recall_score';

CREATE FUNCTION lmtext_internal.recall_score_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_recall_score_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_score_final(internal) IS 'internal: part of the aggregate recall_score';

CREATE AGGREGATE lmtext.recall_score(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.recall_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_score_combine,
    SERIALFUNC = lmtext_internal.recall_score_serialize,
    DESERIALFUNC = lmtext_internal.recall_score_deserialize,
    FINALFUNC = lmtext_internal.recall_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_score(anycompatible, anycompatible) IS
    'mean of the recall of all labels (macro)';

CREATE AGGREGATE lmtext.recall_score(actual anycompatible, predicted anycompatible, average text) (
    SFUNC = lmtext_internal.recall_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_score_combine,
    SERIALFUNC = lmtext_internal.recall_score_serialize,
    DESERIALFUNC = lmtext_internal.recall_score_deserialize,
    FINALFUNC = lmtext_internal.recall_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_score(anycompatible, anycompatible, text) IS
    'recall over all labels; average is micro, macro or weighted';

CREATE AGGREGATE lmtext.recall_score(actual anycompatible, predicted anycompatible, average text, label anycompatible) (
    SFUNC = lmtext_internal.recall_score_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_score_combine,
    SERIALFUNC = lmtext_internal.recall_score_serialize,
    DESERIALFUNC = lmtext_internal.recall_score_deserialize,
    FINALFUNC = lmtext_internal.recall_score_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_score(anycompatible, anycompatible, text, anycompatible) IS
    'recall of one label; average is binary';

CREATE FUNCTION lmtext_internal.cohen_kappa_accum(state internal, actual anycompatible, predicted anycompatible)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_accum(internal, anycompatible, anycompatible) IS
    'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_accum(state internal, actual anycompatible, predicted anycompatible, weights text)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_accum(internal, anycompatible, anycompatible, text) IS
    'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_combine(internal, internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_serialize(internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_deserialize(bytea, internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE FUNCTION lmtext_internal.cohen_kappa_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cohen_kappa_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cohen_kappa_final(internal) IS 'internal: part of the aggregate cohen_kappa';

CREATE AGGREGATE lmtext.cohen_kappa(actual anycompatible, predicted anycompatible) (
    SFUNC = lmtext_internal.cohen_kappa_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cohen_kappa_combine,
    SERIALFUNC = lmtext_internal.cohen_kappa_serialize,
    DESERIALFUNC = lmtext_internal.cohen_kappa_deserialize,
    FINALFUNC = lmtext_internal.cohen_kappa_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cohen_kappa(anycompatible, anycompatible) IS
    'agreement of two labels beyond that of chance (Cohen)';

CREATE AGGREGATE lmtext.cohen_kappa(actual anycompatible, predicted anycompatible, weights text) (
    SFUNC = lmtext_internal.cohen_kappa_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.cohen_kappa_combine,
    SERIALFUNC = lmtext_internal.cohen_kappa_serialize,
    DESERIALFUNC = lmtext_internal.cohen_kappa_deserialize,
    FINALFUNC = lmtext_internal.cohen_kappa_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.cohen_kappa(anycompatible, anycompatible, text) IS
    'agreement of two labels beyond that of chance; weights is none, linear or quadratic';

CREATE FUNCTION lmtext_internal.log_loss_accum(state internal, actual text, labels text[], probabilities double precision[])
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.log_loss_accum(internal, text, text[], double precision[]) IS
    'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_combine(internal, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_serialize(internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_deserialize(bytea, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.log_loss_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_log_loss_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.log_loss_final(internal) IS 'internal: part of the aggregate log_loss';

CREATE AGGREGATE lmtext.log_loss(actual text, labels text[], probabilities double precision[]) (
    SFUNC = lmtext_internal.log_loss_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.log_loss_combine,
    SERIALFUNC = lmtext_internal.log_loss_serialize,
    DESERIALFUNC = lmtext_internal.log_loss_deserialize,
    FINALFUNC = lmtext_internal.log_loss_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.log_loss(text, text[], double precision[]) IS
    'mean negative log of the probability of the actual label, in nats';

CREATE FUNCTION lmtext_internal.binary_log_loss_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_combine(internal, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_serialize(internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_deserialize(bytea, internal) IS 'internal: part of the aggregate log_loss';

CREATE FUNCTION lmtext_internal.binary_log_loss_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_binary_log_loss_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_log_loss_final(internal) IS 'internal: part of the aggregate log_loss';

CREATE AGGREGATE lmtext.log_loss(actual boolean, score double precision) (
    SFUNC = lmtext_internal.binary_log_loss_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.binary_log_loss_combine,
    SERIALFUNC = lmtext_internal.binary_log_loss_serialize,
    DESERIALFUNC = lmtext_internal.binary_log_loss_deserialize,
    FINALFUNC = lmtext_internal.binary_log_loss_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.log_loss(boolean, double precision) IS
    'mean negative log of the probability of what is true, in nats';

CREATE FUNCTION lmtext_internal.brier_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_brier_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.brier_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_brier_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_combine(internal, internal) IS 'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_brier_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_serialize(internal) IS 'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_brier_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_deserialize(bytea, internal) IS 'internal: part of the aggregate brier';

CREATE FUNCTION lmtext_internal.brier_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_brier_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.brier_final(internal) IS 'internal: part of the aggregate brier';

CREATE AGGREGATE lmtext.brier(actual boolean, score double precision) (
    SFUNC = lmtext_internal.brier_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.brier_combine,
    SERIALFUNC = lmtext_internal.brier_serialize,
    DESERIALFUNC = lmtext_internal.brier_deserialize,
    FINALFUNC = lmtext_internal.brier_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.brier(boolean, double precision) IS
    'mean squared error of a probability (Brier)';

CREATE FUNCTION lmtext_internal.ece_accum(state internal, correct boolean, confidence double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ece_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ece_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ece_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_combine(internal, internal) IS 'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ece_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_serialize(internal) IS 'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ece_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_deserialize(bytea, internal) IS 'internal: part of the aggregate ece';

CREATE FUNCTION lmtext_internal.ece_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ece_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ece_final(internal) IS 'internal: part of the aggregate ece';

CREATE AGGREGATE lmtext.ece(correct boolean, confidence double precision) (
    SFUNC = lmtext_internal.ece_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ece_combine,
    SERIALFUNC = lmtext_internal.ece_serialize,
    DESERIALFUNC = lmtext_internal.ece_deserialize,
    FINALFUNC = lmtext_internal.ece_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ece(boolean, double precision) IS
    'expected calibration error over 15 bins of equal width';

CREATE FUNCTION lmtext_internal.auc_accum(state internal, actual text, labels text[], probabilities double precision[])
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_auc_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 5;
COMMENT ON FUNCTION lmtext_internal.auc_accum(internal, text, text[], double precision[]) IS
    'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_auc_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_combine(internal, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_auc_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_serialize(internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_auc_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_deserialize(bytea, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.auc_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_auc_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.auc_final(internal) IS 'internal: part of the aggregate auc';

CREATE AGGREGATE lmtext.auc(actual text, labels text[], probabilities double precision[]) (
    SFUNC = lmtext_internal.auc_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.auc_combine,
    SERIALFUNC = lmtext_internal.auc_serialize,
    DESERIALFUNC = lmtext_internal.auc_deserialize,
    FINALFUNC = lmtext_internal.auc_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.auc(text, text[], double precision[]) IS
    'mean over labels of the area under the curve that tells one from the rest';

CREATE FUNCTION lmtext_internal.binary_auc_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.binary_auc_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_combine(internal, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_serialize(internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_deserialize(bytea, internal) IS 'internal: part of the aggregate auc';

CREATE FUNCTION lmtext_internal.binary_auc_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_binary_auc_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.binary_auc_final(internal) IS 'internal: part of the aggregate auc';

CREATE AGGREGATE lmtext.auc(actual boolean, score double precision) (
    SFUNC = lmtext_internal.binary_auc_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.binary_auc_combine,
    SERIALFUNC = lmtext_internal.binary_auc_serialize,
    DESERIALFUNC = lmtext_internal.binary_auc_deserialize,
    FINALFUNC = lmtext_internal.binary_auc_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.auc(boolean, double precision) IS
    'probability that a true row has a higher score than a false one';

CREATE FUNCTION lmtext_internal.average_precision_accum(state internal, actual boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.average_precision_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_combine(internal, internal) IS 'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_serialize(internal) IS 'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_deserialize(bytea, internal) IS 'internal: part of the aggregate average_precision';

CREATE FUNCTION lmtext_internal.average_precision_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_average_precision_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.average_precision_final(internal) IS 'internal: part of the aggregate average_precision';

CREATE AGGREGATE lmtext.average_precision(actual boolean, score double precision) (
    SFUNC = lmtext_internal.average_precision_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.average_precision_combine,
    SERIALFUNC = lmtext_internal.average_precision_serialize,
    DESERIALFUNC = lmtext_internal.average_precision_deserialize,
    FINALFUNC = lmtext_internal.average_precision_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.average_precision(boolean, double precision) IS
    'mean precision over the true rows, in the order of scores';

CREATE FUNCTION lmtext_internal.coverage_at_accum(state internal, correct boolean, confidence double precision, target double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.coverage_at_accum(internal, boolean, double precision, double precision) IS
    'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_combine(internal, internal) IS 'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_serialize(internal) IS 'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_deserialize(bytea, internal) IS 'internal: part of the aggregate coverage_at';

CREATE FUNCTION lmtext_internal.coverage_at_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_coverage_at_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.coverage_at_final(internal) IS 'internal: part of the aggregate coverage_at';

CREATE AGGREGATE lmtext.coverage_at(correct boolean, confidence double precision, target double precision) (
    SFUNC = lmtext_internal.coverage_at_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.coverage_at_combine,
    SERIALFUNC = lmtext_internal.coverage_at_serialize,
    DESERIALFUNC = lmtext_internal.coverage_at_deserialize,
    FINALFUNC = lmtext_internal.coverage_at_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.coverage_at(boolean, double precision, double precision) IS
    'largest share of rows, those of highest confidence, of which the target is correct';

CREATE FUNCTION lmtext_internal.mrr_accum(state internal, relevant boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.mrr_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_accum(state internal, relevant boolean, score double precision, k bigint)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.mrr_accum(internal, boolean, double precision, bigint) IS
    'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_combine(internal, internal) IS 'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_mrr_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_serialize(internal) IS 'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mrr_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_deserialize(bytea, internal) IS 'internal: part of the aggregate mrr';

CREATE FUNCTION lmtext_internal.mrr_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_mrr_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.mrr_final(internal) IS 'internal: part of the aggregate mrr';

CREATE AGGREGATE lmtext.mrr(relevant boolean, score double precision) (
    SFUNC = lmtext_internal.mrr_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.mrr_combine,
    SERIALFUNC = lmtext_internal.mrr_serialize,
    DESERIALFUNC = lmtext_internal.mrr_deserialize,
    FINALFUNC = lmtext_internal.mrr_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.mrr(boolean, double precision) IS
    'one over the rank of the first relevant row';

CREATE AGGREGATE lmtext.mrr(relevant boolean, score double precision, k bigint) (
    SFUNC = lmtext_internal.mrr_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.mrr_combine,
    SERIALFUNC = lmtext_internal.mrr_serialize,
    DESERIALFUNC = lmtext_internal.mrr_deserialize,
    FINALFUNC = lmtext_internal.mrr_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.mrr(boolean, double precision, bigint) IS
    'one over the rank of the first relevant row, if it is at most k';

CREATE FUNCTION lmtext_internal.recall_at_accum(state internal, relevant boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.recall_at_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_accum(state internal, relevant boolean, score double precision, k bigint)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.recall_at_accum(internal, boolean, double precision, bigint) IS
    'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_combine(internal, internal) IS 'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_serialize(internal) IS 'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_deserialize(bytea, internal) IS 'internal: part of the aggregate recall_at';

CREATE FUNCTION lmtext_internal.recall_at_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_recall_at_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.recall_at_final(internal) IS 'internal: part of the aggregate recall_at';

CREATE AGGREGATE lmtext.recall_at(relevant boolean, score double precision) (
    SFUNC = lmtext_internal.recall_at_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_at_combine,
    SERIALFUNC = lmtext_internal.recall_at_serialize,
    DESERIALFUNC = lmtext_internal.recall_at_deserialize,
    FINALFUNC = lmtext_internal.recall_at_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_at(boolean, double precision) IS
    'share of the relevant rows that are among the first 10';

CREATE AGGREGATE lmtext.recall_at(relevant boolean, score double precision, k bigint) (
    SFUNC = lmtext_internal.recall_at_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.recall_at_combine,
    SERIALFUNC = lmtext_internal.recall_at_serialize,
    DESERIALFUNC = lmtext_internal.recall_at_deserialize,
    FINALFUNC = lmtext_internal.recall_at_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.recall_at(boolean, double precision, bigint) IS
    'share of the relevant rows that are among the first k';

CREATE FUNCTION lmtext_internal.ndcg_accum(state internal, relevance double precision, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ndcg_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_accum(state internal, relevance double precision, score double precision, k bigint)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ndcg_accum(internal, double precision, double precision, bigint) IS
    'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_combine(internal, internal) IS 'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_serialize(internal) IS 'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_deserialize(bytea, internal) IS 'internal: part of the aggregate ndcg';

CREATE FUNCTION lmtext_internal.ndcg_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ndcg_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ndcg_final(internal) IS 'internal: part of the aggregate ndcg';

CREATE AGGREGATE lmtext.ndcg(relevance double precision, score double precision) (
    SFUNC = lmtext_internal.ndcg_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ndcg_combine,
    SERIALFUNC = lmtext_internal.ndcg_serialize,
    DESERIALFUNC = lmtext_internal.ndcg_deserialize,
    FINALFUNC = lmtext_internal.ndcg_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ndcg(double precision, double precision) IS
    'normalised discounted cumulative gain of an order by score';

CREATE AGGREGATE lmtext.ndcg(relevance double precision, score double precision, k bigint) (
    SFUNC = lmtext_internal.ndcg_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ndcg_combine,
    SERIALFUNC = lmtext_internal.ndcg_serialize,
    DESERIALFUNC = lmtext_internal.ndcg_deserialize,
    FINALFUNC = lmtext_internal.ndcg_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ndcg(double precision, double precision, bigint) IS
    'normalised discounted cumulative gain of the first k rows by score';

CREATE FUNCTION lmtext_internal.pearson_accum(state internal, x double precision, y double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_pearson_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.pearson_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_pearson_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_combine(internal, internal) IS 'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_pearson_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_serialize(internal) IS 'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_pearson_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_deserialize(bytea, internal) IS 'internal: part of the aggregate pearson';

CREATE FUNCTION lmtext_internal.pearson_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_pearson_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.pearson_final(internal) IS 'internal: part of the aggregate pearson';

CREATE AGGREGATE lmtext.pearson(x double precision, y double precision) (
    SFUNC = lmtext_internal.pearson_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.pearson_combine,
    SERIALFUNC = lmtext_internal.pearson_serialize,
    DESERIALFUNC = lmtext_internal.pearson_deserialize,
    FINALFUNC = lmtext_internal.pearson_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.pearson(double precision, double precision) IS
    'linear correlation of two numbers (Pearson)';

CREATE FUNCTION lmtext_internal.spearman_accum(state internal, x double precision, y double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_spearman_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.spearman_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_spearman_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_combine(internal, internal) IS 'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_spearman_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_serialize(internal) IS 'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_spearman_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_deserialize(bytea, internal) IS 'internal: part of the aggregate spearman';

CREATE FUNCTION lmtext_internal.spearman_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_spearman_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.spearman_final(internal) IS 'internal: part of the aggregate spearman';

CREATE AGGREGATE lmtext.spearman(x double precision, y double precision) (
    SFUNC = lmtext_internal.spearman_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.spearman_combine,
    SERIALFUNC = lmtext_internal.spearman_serialize,
    DESERIALFUNC = lmtext_internal.spearman_deserialize,
    FINALFUNC = lmtext_internal.spearman_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.spearman(double precision, double precision) IS
    'correlation of the ranks of two numbers (Spearman)';

CREATE FUNCTION lmtext_internal.ks_accum(state internal, current boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ks_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_combine(internal, internal) IS 'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ks_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_serialize(internal) IS 'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_deserialize(bytea, internal) IS 'internal: part of the aggregate ks';

CREATE FUNCTION lmtext_internal.ks_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ks_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_final(internal) IS 'internal: part of the aggregate ks';

CREATE AGGREGATE lmtext.ks(current boolean, score double precision) (
    SFUNC = lmtext_internal.ks_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ks_combine,
    SERIALFUNC = lmtext_internal.ks_serialize,
    DESERIALFUNC = lmtext_internal.ks_deserialize,
    FINALFUNC = lmtext_internal.ks_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ks(boolean, double precision) IS
    'largest distance of the distributions of current scores and of the others (Kolmogorov and Smirnov)';

CREATE FUNCTION lmtext_internal.ks_p_accum(state internal, current boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.ks_p_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_combine(internal, internal) IS 'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_serialize(internal) IS 'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_deserialize(bytea, internal) IS 'internal: part of the aggregate ks_p';

CREATE FUNCTION lmtext_internal.ks_p_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_ks_p_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.ks_p_final(internal) IS 'internal: part of the aggregate ks_p';

CREATE AGGREGATE lmtext.ks_p(current boolean, score double precision) (
    SFUNC = lmtext_internal.ks_p_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.ks_p_combine,
    SERIALFUNC = lmtext_internal.ks_p_serialize,
    DESERIALFUNC = lmtext_internal.ks_p_deserialize,
    FINALFUNC = lmtext_internal.ks_p_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.ks_p(boolean, double precision) IS
    'how probable the distance of current scores from the others is by chance alone (Kolmogorov and Smirnov, two-sided)';

CREATE FUNCTION lmtext_internal.psi_accum(state internal, current boolean, score double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_psi_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.psi_accum(internal, boolean, double precision) IS
    'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_psi_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_combine(internal, internal) IS 'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_psi_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_serialize(internal) IS 'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_psi_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_deserialize(bytea, internal) IS 'internal: part of the aggregate psi';

CREATE FUNCTION lmtext_internal.psi_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_psi_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.psi_final(internal) IS 'internal: part of the aggregate psi';

CREATE AGGREGATE lmtext.psi(current boolean, score double precision) (
    SFUNC = lmtext_internal.psi_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.psi_combine,
    SERIALFUNC = lmtext_internal.psi_serialize,
    DESERIALFUNC = lmtext_internal.psi_deserialize,
    FINALFUNC = lmtext_internal.psi_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.psi(boolean, double precision) IS
    'population stability index of current scores over the tenths of the others';

CREATE FUNCTION lmtext_internal.kendall_accum(state internal, x double precision, y double precision)
    RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_kendall_accum' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 2;
COMMENT ON FUNCTION lmtext_internal.kendall_accum(internal, double precision, double precision) IS
    'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_combine(state internal, more internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_kendall_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_combine(internal, internal) IS 'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_serialize(state internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_kendall_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_serialize(internal) IS 'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_deserialize(state bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_kendall_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_deserialize(bytea, internal) IS 'internal: part of the aggregate kendall';

CREATE FUNCTION lmtext_internal.kendall_final(state internal) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_kendall_final' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.kendall_final(internal) IS 'internal: part of the aggregate kendall';

CREATE AGGREGATE lmtext.kendall(x double precision, y double precision) (
    SFUNC = lmtext_internal.kendall_accum,
    STYPE = internal,
    COMBINEFUNC = lmtext_internal.kendall_combine,
    SERIALFUNC = lmtext_internal.kendall_serialize,
    DESERIALFUNC = lmtext_internal.kendall_deserialize,
    FINALFUNC = lmtext_internal.kendall_final,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.kendall(double precision, double precision) IS
    'rank correlation of two numbers (Kendall, tau-b)';

-- ---- Reports ----
-- These run a query as the caller, who could run it as well; they write nothing.

CREATE FUNCTION lmtext.entity_report(query text, scheme text DEFAULT NULL)
    RETURNS TABLE (label text, "precision" double precision, recall double precision,
                   f1 double precision, support bigint, summary boolean)
    AS 'MODULE_PATHNAME', 'lmtext_entity_report' LANGUAGE C VOLATILE PARALLEL UNSAFE
    COST 100000 ROWS 10;
COMMENT ON FUNCTION lmtext.entity_report(text, text) IS
    'precision, recall and F1 of each type of entity over a query of two sequences of tags, then their averages, marked by the column summary';

CREATE FUNCTION lmtext.token_report(query text)
    RETURNS TABLE (label text, "precision" double precision, recall double precision,
                   f1 double precision, support bigint, summary boolean)
    AS 'MODULE_PATHNAME', 'lmtext_token_report' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 20;
COMMENT ON FUNCTION lmtext.token_report(text) IS
    'precision, recall and F1 of each tag over the tokens of a query of two sequences of tags, then their averages, marked by the column summary';

CREATE FUNCTION lmtext.bootstrap(query text, metric text, n integer DEFAULT 1000, seed bigint DEFAULT 1)
    RETURNS TABLE (estimate double precision, low double precision, high double precision)
    AS 'MODULE_PATHNAME', 'lmtext_bootstrap' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 1000000 ROWS 1;
COMMENT ON FUNCTION lmtext.bootstrap(text, text, integer, bigint) IS
    'a measure over a query of its arguments, and where 95 % of n resamples of the rows have it';

CREATE FUNCTION lmtext.compare(query text)
    RETURNS TABLE (measure text, value double precision, p double precision)
    AS 'MODULE_PATHNAME', 'lmtext_compare' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    COST 100000 ROWS 13;
COMMENT ON FUNCTION lmtext.compare(text) IS
    'which of two predictions is better, over a query of (actual, predicted_a, predicted_b), and whether that may be chance';

-- ---- Models ----
-- These put the user's query into one of their own, and run it as the caller: no search_path is set, since the query sees it, and all
-- that is ours is named in full.

CREATE FUNCTION lmtext_internal.query_columns(function text, query text) RETURNS regtype[]
    AS 'MODULE_PATHNAME', 'lmtext_query_columns' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 10000;
COMMENT ON FUNCTION lmtext_internal.query_columns(text, text) IS
    'types of the columns of a query, which must be a single SELECT that only reads';

CREATE FUNCTION lmtext_internal.version_of(model text) RETURNS lmtext.models
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 1000 AS $$
DECLARE
    named pg_catalog.regclass := lmtext_internal.resolve_model(model);
    version lmtext.models;
BEGIN
    SELECT m.* INTO version FROM lmtext.models m WHERE m.model OPERATOR(pg_catalog.=) named;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = pg_catalog.format('permission denied for model %s', named);
    END IF;
    RETURN version;
END $$;
COMMENT ON FUNCTION lmtext_internal.version_of(text) IS 'the version that a name means';

-- What a query's columns ask for: 'class' (text, label), 'labels' (text, text[]), 'number' (text, number), 'tags' (text[], text[]),
-- 'pair' (text, text, number).
CREATE FUNCTION lmtext_internal.evaluation_of(version lmtext.models, columns regtype[]) RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE COST 100 SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    numbers regtype[] := '{smallint,integer,bigint,real,double precision,numeric}';
BEGIN
    IF cardinality(columns) = 3 AND columns[3] = ANY (numbers) THEN
        RETURN 'pair';
    ELSIF cardinality(columns) = 2 AND columns[1] = 'text[]'::regtype AND columns[2] = 'text[]'::regtype THEN
        RETURN 'tags';
    ELSIF cardinality(columns) = 2 AND columns[2] = 'text[]'::regtype THEN
        RETURN 'labels';
    ELSIF cardinality(columns) = 2 AND columns[2] = ANY (numbers) AND cardinality(version.labels) = 1 THEN
        RETURN 'number';
    ELSIF cardinality(columns) = 2 THEN
        RETURN 'class';
    END IF;
    RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch',
        MESSAGE = 'the columns of the query of lmtext.evaluate fit no task',
        DETAIL = format('It returns %s.', coalesce(nullif(array_to_string(columns, ', '), ''), 'no column')),
        HINT = 'Columns are (text, label), (text, text[]), (text, number), (words text[], tags text[]) or (text, text, number).';
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluation_of(lmtext.models, regtype[]) IS 'how a model is judged by a query of such columns';

CREATE FUNCTION lmtext_internal.evaluate_class(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH guess AS MATERIALIZED (
            SELECT q.label::pg_catalog.text AS label, s.labels, s.scores, s.labels[1] AS best, s.scores[1] AS score,
                   s.labels[1] OPERATOR(pg_catalog.=) q.label::pg_catalog.text AS correct
            FROM (%2$s
            ) q (input, label)
            CROSS JOIN LATERAL (
                SELECT pg_catalog.array_agg(c.label ORDER BY c.score DESC, c.label COLLATE pg_catalog."C") AS labels,
                       pg_catalog.array_agg(c.score::pg_catalog.float8 ORDER BY c.score DESC, c.label COLLATE pg_catalog."C") AS scores
                FROM lmtext.class_scores(q.input, %1$L::pg_catalog.regclass) c) s
            WHERE q.label IS NOT NULL AND s.labels IS NOT NULL)
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows, lmtext.accuracy(label, best) AS accuracy,
                   lmtext.balanced_accuracy(label, best) AS balanced, lmtext.precision_score(label, best) AS p,
                   lmtext.recall_score(label, best) AS r, lmtext.f1(label, best) AS f1, lmtext.f1(label, best, 'weighted') AS weighted,
                   lmtext.matthews(label, best) AS matthews,
                   lmtext.log_loss(label, labels, scores) FILTER (WHERE label OPERATOR(pg_catalog.=) ANY (labels)
                       AND 0 OPERATOR(pg_catalog.<=) ALL (scores) AND 1 OPERATOR(pg_catalog.>=) ALL (scores)) AS log_loss,
                   lmtext.ece(correct, score) FILTER (WHERE score OPERATOR(pg_catalog.>=) 0 AND score OPERATOR(pg_catalog.<=) 1) AS ece,
                   lmtext.coverage_at(correct, score, 0.95) AS coverage
            FROM guess) g
        CROSS JOIN LATERAL (VALUES ('rows', g.rows), ('accuracy', g.accuracy), ('balanced_accuracy', g.balanced), ('precision', g.p),
            ('recall', g.r), ('f1', g.f1), ('f1_weighted', g.weighted), ('matthews', g.matthews), ('log_loss', g.log_loss),
            ('ece', g.ece), ('coverage_at_0.95', g.coverage)) m (measure, value)$q$, model, query);
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_class(text, text) IS 'measures of a classifier';

CREATE FUNCTION lmtext_internal.evaluate_labels(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH answer AS MATERIALIZED (
            SELECT q.id, c.label, c.score::pg_catalog.float8 AS score,
                   coalesce(c.label OPERATOR(pg_catalog.=) ANY (q.labels), false) AS actual,
                   c.score OPERATOR(pg_catalog.>=) 0.5 AS predicted
            FROM (SELECT pg_catalog.row_number() OVER () AS id, o.* FROM (%2$s
                ) o (input, labels)) q
            CROSS JOIN LATERAL lmtext.class_scores(q.input, %1$L::pg_catalog.regclass) c
            WHERE q.labels IS NOT NULL),
        by_label AS (
            SELECT lmtext.f1(actual, predicted, 'binary', true) AS f1, lmtext.average_precision(actual, score) AS precision
            FROM answer GROUP BY label),
        by_row AS (SELECT pg_catalog.bool_and(actual OPERATOR(pg_catalog.=) predicted) AS whole FROM answer GROUP BY id)
        SELECT m.measure, m.value FROM (VALUES
            ('rows', (SELECT pg_catalog.count(*)::pg_catalog.float8 FROM by_row)),
            ('subset_accuracy', (SELECT lmtext.accuracy(whole, true) FROM by_row)),
            ('precision_micro', (SELECT lmtext.precision_score(actual, predicted, 'binary', true) FROM answer)),
            ('recall_micro', (SELECT lmtext.recall_score(actual, predicted, 'binary', true) FROM answer)),
            ('f1_micro', (SELECT lmtext.f1(actual, predicted, 'binary', true) FROM answer)),
            ('f1', (SELECT pg_catalog.avg(f1) FROM by_label)),
            ('average_precision', (SELECT pg_catalog.avg(precision) FROM by_label))) m (measure, value)$q$, model, query);
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_labels(text, text) IS 'measures of a model that gives a text several labels';

CREATE FUNCTION lmtext_internal.evaluate_numbers(query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.count(*)::pg_catalog.float8 AS rows,
                   pg_catalog.avg(pg_catalog.abs(pg_catalog.float8mi(actual, predicted))) AS mae,
                   pg_catalog.avg(pg_catalog.dpow(pg_catalog.float8mi(actual, predicted), 2)) AS mse,
                   pg_catalog.var_pop(actual) AS variance, lmtext.pearson(actual, predicted) AS pearson,
                   lmtext.spearman(actual, predicted) AS spearman, lmtext.kendall(actual, predicted) AS kendall
            FROM (%s
                OFFSET 0) q (actual, predicted) -- not pulled up: a prediction is made once
            WHERE actual IS NOT NULL AND predicted IS NOT NULL) g
        CROSS JOIN LATERAL (VALUES ('rows', g.rows), ('mae', g.mae), ('rmse', pg_catalog.dsqrt(g.mse)),
            ('r2', pg_catalog.float8mi(1, CASE WHEN g.variance OPERATOR(pg_catalog.>) 0
                THEN pg_catalog.float8div(g.mse, g.variance) END)), ('pearson', g.pearson), ('spearman', g.spearman),
            ('kendall', g.kendall)) m (measure, value)$q$, query);
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_numbers(text) IS 'measures of numbers that were predicted';

-- A word without a token is no part of a name.
CREATE FUNCTION lmtext_internal.word_tags(words text[], model regclass) RETURNS text[]
    LANGUAGE sql VOLATILE PARALLEL UNSAFE COST 100000 SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_replace(lmtext.tag_words(words, model), NULL, 'O')
$$;
COMMENT ON FUNCTION lmtext_internal.word_tags(text[], regclass) IS 'a tag for each word of a text';

CREATE FUNCTION lmtext_internal.evaluate_tags(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
DECLARE
    pairs pg_catalog.text := pg_catalog.format(
        'SELECT q.tags, lmtext_internal.word_tags(q.words, %L::pg_catalog.regclass) FROM (%s
        ) q (words, tags) WHERE q.words IS NOT NULL', model, query);
BEGIN
    RETURN QUERY SELECT m.measure, m.value FROM lmtext.token_report(pairs) t
        CROSS JOIN LATERAL (VALUES ('tokens', t.support::pg_catalog.float8), ('accuracy', t.f1)) m (measure, value)
        WHERE t.summary AND t.label OPERATOR(pg_catalog.=) 'micro avg';
    RETURN QUERY SELECT m.measure, m.value FROM lmtext.entity_report(pairs) t
        CROSS JOIN LATERAL (VALUES ('entities', t.support::pg_catalog.float8), ('precision', t.precision), ('recall', t.recall),
            ('f1', t.f1)) m (measure, value)
        WHERE t.summary AND t.label OPERATOR(pg_catalog.=) 'micro avg';
END $$;
COMMENT ON FUNCTION lmtext_internal.evaluate_tags(text, text) IS 'measures of a tagger';

CREATE FUNCTION lmtext.evaluate(model text, query text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 12 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    form pg_catalog.text := lmtext_internal.evaluation_of(version, lmtext_internal.query_columns('lmtext.evaluate', query));
BEGIN
    model := version.model::pg_catalog.oid::pg_catalog.text;
    query := pg_catalog.rtrim(query, E'; \t\r\n');
    IF form OPERATOR(pg_catalog.=) 'class' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_class(model, query) e;
    ELSIF form OPERATOR(pg_catalog.=) 'labels' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_labels(model, query) e;
    ELSIF form OPERATOR(pg_catalog.=) 'tags' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_tags(model, query) e;
    ELSIF form OPERATOR(pg_catalog.=) 'number' THEN
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_numbers(pg_catalog.format(
                'SELECT q.number::pg_catalog.float8, (SELECT c.score::pg_catalog.float8 FROM lmtext.class_scores(q.input, %L::pg_catalog.regclass) c)
                FROM (%s
                ) q (input, number)', model, query)) e;
    ELSE
        RETURN QUERY SELECT e.measure, e.value FROM lmtext_internal.evaluate_numbers(pg_catalog.format(
                'SELECT q.number::pg_catalog.float8, lmtext.%I(q.a, q.b, %L::pg_catalog.regclass)::pg_catalog.float8 FROM (%s
                ) q (a, b, number)',
                CASE WHEN version.task OPERATOR(pg_catalog.=) 'rerank' THEN 'rerank' ELSE 'similarity' END, model, query)) e;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.evaluate(text, text) IS
    'how good a model is on the rows of a query, whose columns say what it is to tell';

CREATE FUNCTION lmtext.evaluate(model text, queries text[]) RETURNS TABLE (query integer, measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 30 AS $$
DECLARE
    place pg_catalog.int4 := 0;
    each pg_catalog.text;
BEGIN
    FOREACH each IN ARRAY queries LOOP
        place := place OPERATOR(pg_catalog.+) 1;
        RETURN QUERY SELECT place, e.measure, e.value FROM lmtext.evaluate(model, each) e;
    END LOOP;
END $$;
COMMENT ON FUNCTION lmtext.evaluate(text, text[]) IS 'how good a model is on the rows of each of several queries';

CREATE FUNCTION lmtext_internal.drift_of_labels(model text, samples text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH guess AS MATERIALIZED (
            SELECT s.current, (s.guess).label AS label, (s.guess).score::pg_catalog.float8 AS score
            FROM (SELECT o.current, lmtext.classify_scored(o.input, %L::pg_catalog.regclass) AS guess FROM (%s) o
                OFFSET 0) s), -- not pulled up: a text is classified once
        shares AS (
            SELECT CASE WHEN t.before OPERATOR(pg_catalog.>) 0
                       THEN pg_catalog.float8div(pg_catalog.count(*) FILTER (WHERE NOT g.current), t.before) END AS before,
                   CASE WHEN t.now OPERATOR(pg_catalog.>) 0
                       THEN pg_catalog.float8div(pg_catalog.count(*) FILTER (WHERE g.current), t.now) END AS now
            FROM guess g CROSS JOIN (
                SELECT pg_catalog.count(*) FILTER (WHERE NOT current) AS before,
                       pg_catalog.count(*) FILTER (WHERE current) AS now FROM guess WHERE label IS NOT NULL) t
            WHERE g.label IS NOT NULL GROUP BY g.label, t.before, t.now)
        SELECT m.measure, m.value FROM (VALUES
            ('score_psi', (SELECT lmtext.psi(current, score) FROM guess)),
            ('score_ks', (SELECT lmtext.ks(current, score) FROM guess)),
            ('score_ks_p', (SELECT lmtext.ks_p(current, score) FROM guess)),
            ('label_psi', (SELECT pg_catalog.sum(lmtext_internal.psi_of(before, now)) FROM shares)),
            ('label_js', (SELECT pg_catalog.dsqrt(greatest(js, 0)) FROM ( -- rounding may leave less than 0
                SELECT pg_catalog.sum(lmtext_internal.js_of(before, now)) AS js FROM shares) s WHERE js IS NOT NULL)),
            ('label_shift', (SELECT pg_catalog.max(pg_catalog.abs(pg_catalog.float8mi(now, before))) FROM shares))) m (measure, value)
        $q$, model, samples);
END $$;
COMMENT ON FUNCTION lmtext_internal.drift_of_labels(text, text) IS 'how the labels of a classifier and their scores have moved';

CREATE FUNCTION lmtext_internal.psi_of(before double precision, now double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT (greatest(now, 1e-4) - greatest(before, 1e-4)) * ln(greatest(now, 1e-4) / greatest(before, 1e-4))
$$;
COMMENT ON FUNCTION lmtext_internal.psi_of(double precision, double precision) IS 'what a label adds to the population stability index';

CREATE FUNCTION lmtext_internal.js_of(before double precision, now double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10 SET search_path = pg_catalog, pg_temp AS $$
    SELECT (CASE WHEN before > 0 THEN before * ln(2 * before / (before + now)) ELSE 0 END
          + CASE WHEN now > 0 THEN now * ln(2 * now / (before + now)) ELSE 0 END) / 2
$$;
COMMENT ON FUNCTION lmtext_internal.js_of(double precision, double precision) IS 'what a label adds to the divergence of Jensen and Shannon';

CREATE FUNCTION lmtext_internal.drift_of_embeddings(version lmtext.models, samples text)
    RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 2 AS $$
BEGIN
    RETURN QUERY EXECUTE pg_catalog.format($q$
        WITH means AS (
            SELECT v.i, pg_catalog.avg(v.x) FILTER (WHERE NOT s.current) AS before, pg_catalog.avg(v.x) FILTER (WHERE s.current) AS now
            FROM (%2$s) s
            CROSS JOIN LATERAL pg_catalog.unnest(lmtext.embed(s.input, %1$L::pg_catalog.regclass)) WITH ORDINALITY v (x, i)
            GROUP BY v.i)
        SELECT m.measure, m.value FROM (
            SELECT pg_catalog.sum(pg_catalog.float8mul(before, now)) AS product,
                   pg_catalog.sum(pg_catalog.float8mul(before, before)) AS before, pg_catalog.sum(pg_catalog.float8mul(now, now)) AS now,
                   pg_catalog.sum(pg_catalog.dpow(pg_catalog.float8mi(now, before), 2)) AS square FROM means) s
        CROSS JOIN LATERAL (VALUES
            ('embedding_shift', pg_catalog.float8mi(1, CASE WHEN pg_catalog.float8mul(s.before, s.now) OPERATOR(pg_catalog.>) 0
                THEN pg_catalog.float8div(s.product, pg_catalog.dsqrt(pg_catalog.float8mul(s.before, s.now))) END)),
            ('embedding_distance', pg_catalog.dsqrt(s.square))) m (measure, value)$q$, coalesce(version.base, version.model)::pg_catalog.oid, samples);
END $$;
COMMENT ON FUNCTION lmtext_internal.drift_of_embeddings(lmtext.models, text) IS 'how far the mean embedding has moved';

CREATE FUNCTION lmtext.drift(model text, baseline text, current text) RETURNS TABLE (measure text, value double precision)
    LANGUAGE plpgsql VOLATILE STRICT PARALLEL UNSAFE COST 1000000 ROWS 10 AS $$
DECLARE
    version lmtext.models := lmtext_internal.version_of(model);
    samples pg_catalog.text := pg_catalog.format('SELECT false AS current, b.input FROM (%s
        ) b (input) UNION ALL SELECT true, c.input FROM (%s
        ) c (input)', pg_catalog.rtrim(baseline, E'; \t\r\n'), pg_catalog.rtrim(current, E'; \t\r\n'));
    each pg_catalog.text;
BEGIN
    FOREACH each IN ARRAY ARRAY[baseline, current] LOOP
        IF pg_catalog.cardinality(lmtext_internal.query_columns('lmtext.drift', each)) OPERATOR(pg_catalog.<>) 1 THEN
            RAISE EXCEPTION USING ERRCODE = 'datatype_mismatch', MESSAGE = 'the queries of lmtext.drift must have one column, the text';
        END IF;
    END LOOP;
    RETURN QUERY EXECUTE pg_catalog.format(
        'SELECT m.measure, m.value FROM (SELECT pg_catalog.count(*) FILTER (WHERE NOT current) AS before,
            pg_catalog.count(*) FILTER (WHERE current) AS now FROM (%s) s) c
        CROSS JOIN LATERAL (VALUES (''rows_baseline'', c.before::pg_catalog.float8), (''rows_current'', c.now)) m (measure, value)',
        samples);
    IF version.labels IS NOT NULL THEN
        RETURN QUERY SELECT d.measure, d.value FROM lmtext_internal.drift_of_labels(version.model::pg_catalog.oid::pg_catalog.text, samples) d;
    END IF;
    IF version.base IS NOT NULL OR version.labels IS NULL THEN
        RETURN QUERY SELECT d.measure, d.value FROM lmtext_internal.drift_of_embeddings(version, samples) d;
    END IF;
END $$;
COMMENT ON FUNCTION lmtext.drift(text, text, text) IS
    'how far what a model sees and says has moved, from the texts of one query to those of another';
