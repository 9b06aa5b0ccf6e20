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
