-- 50-search: distances between vectors and between texts, their operators, and the mean vector. The
-- operators lie in the extension's schema, so that they are found as any operator is; what they mean
-- is pgvector's, and between pgvector's types its own operators stay in charge.

CREATE FUNCTION lmtext_internal.cosine_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_cosine_distance_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.cosine_distance_support(internal) IS
    'planner support: uses the <=> of the other side''s type if that type casts implicitly to real[]';

CREATE FUNCTION lmtext.cosine_distance(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
    SUPPORT lmtext_internal.cosine_distance_support;
COMMENT ON FUNCTION lmtext.cosine_distance(real[], real[]) IS 'cosine distance of two vectors';

CREATE OPERATOR @extschema@.<=> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = lmtext.cosine_distance,
    COMMUTATOR = OPERATOR(@extschema@.<=>));
COMMENT ON OPERATOR @extschema@.<=> (real[], real[]) IS 'cosine distance of two vectors';

CREATE FUNCTION lmtext_internal.l2_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_l2_distance_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.l2_distance_support(internal) IS
    'planner support: uses the <-> of the other side''s type if that type casts implicitly to real[]';

CREATE FUNCTION lmtext.l2_distance(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
    SUPPORT lmtext_internal.l2_distance_support;
COMMENT ON FUNCTION lmtext.l2_distance(real[], real[]) IS 'Euclidean distance of two vectors';

CREATE OPERATOR @extschema@.<-> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = lmtext.l2_distance,
    COMMUTATOR = OPERATOR(@extschema@.<->));
COMMENT ON OPERATOR @extschema@.<-> (real[], real[]) IS 'Euclidean distance of two vectors';

CREATE FUNCTION lmtext_internal.inner_product_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_inner_product_support' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lmtext_internal.inner_product_support(internal) IS
    'planner support: uses the <#> of the other side''s type if that type casts implicitly to real[]';

CREATE FUNCTION lmtext.negative_inner_product(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10
    SUPPORT lmtext_internal.inner_product_support;
COMMENT ON FUNCTION lmtext.negative_inner_product(real[], real[]) IS 'negative inner product of two vectors';

CREATE OPERATOR @extschema@.<#> (
    LEFTARG = real[], RIGHTARG = real[], FUNCTION = lmtext.negative_inner_product,
    COMMUTATOR = OPERATOR(@extschema@.<#>));
COMMENT ON OPERATOR @extschema@.<#> (real[], real[]) IS 'negative inner product of two vectors';

CREATE FUNCTION lmtext.inner_product(a real[], b real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext.inner_product(real[], real[]) IS 'inner product of two vectors';

CREATE FUNCTION lmtext.l2_normalize(vector real[]) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext.l2_normalize(real[]) IS
    'vector of length 1 in the same direction; a zero vector is returned as it is';

CREATE FUNCTION lmtext.distance(a text, b text) RETURNS double precision
    AS 'MODULE_PATHNAME', 'lmtext_text_distance' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 200000
    SUPPORT lmtext_internal.distance_support;
COMMENT ON FUNCTION lmtext.distance(text, text) IS
    'cosine distance of the embeddings of two texts, by the model lmtext.embedding_model';

CREATE OPERATOR @extschema@.<=> (
    LEFTARG = text, RIGHTARG = text, FUNCTION = lmtext.distance,
    COMMUTATOR = OPERATOR(@extschema@.<=>));
COMMENT ON OPERATOR @extschema@.<=> (text, text) IS
    'cosine distance of the embeddings of two texts, by the model lmtext.embedding_model';

CREATE FUNCTION lmtext_internal.mean_transition(internal, real[]) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mean_transition' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_transition(internal, real[]) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_combine(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mean_combine' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_combine(internal, internal) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_serialize(internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'lmtext_mean_serialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_serialize(internal) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_deserialize(bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'lmtext_mean_deserialize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_deserialize(bytea, internal) IS 'internal: part of the aggregate mean';

CREATE FUNCTION lmtext_internal.mean_final(internal) RETURNS real[]
    AS 'MODULE_PATHNAME', 'lmtext_mean_final' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 10;
COMMENT ON FUNCTION lmtext_internal.mean_final(internal) IS 'internal: part of the aggregate mean';

CREATE AGGREGATE lmtext.mean(vector real[]) (
    SFUNC = lmtext_internal.mean_transition, STYPE = internal, SSPACE = 4096,
    FINALFUNC = lmtext_internal.mean_final, COMBINEFUNC = lmtext_internal.mean_combine,
    SERIALFUNC = lmtext_internal.mean_serialize, DESERIALFUNC = lmtext_internal.mean_deserialize,
    PARALLEL = SAFE);
COMMENT ON AGGREGATE lmtext.mean(real[]) IS
    'mean of vectors, component by component; nulls are ignored';
