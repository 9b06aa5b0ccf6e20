/*
 * test_mutation.c - shows that the goldens can see. Each mutation leaves something out of a model
 * or alters it, and the comparison of hidden states, or of scores, must turn red; the ones that
 * change nothing (none, the key's bias, which cancels in softmax) must stay green.
 */
#include "golden_pairs.h"
#include "golden_scores.h"

/* What is done to the tensors whose canonical name contains `tensor`. */
typedef enum change { KEEP, ZERO, ONE, DOUBLE, CHANGES } change;

typedef struct mutation {
    const char *what;
    const char *folder;
    const char *tensor;
    change change;
    const char *from, *to; /* in config.json */
    bool without_types;
    bool green;
    bool scores; /* are compared */
} mutation;

static const mutation mutations[] = {
    {"nothing", "bert", NULL, KEEP, NULL, NULL, false, true, false},
    {"key bias", "bert", "self.key.bias", ZERO, NULL, NULL, false, true, false},
    {"query bias", "bert", "self.query.bias", ZERO, NULL, NULL, false, false, false},
    {"value bias", "bert", "self.value.bias", ZERO, NULL, NULL, false, false, false},
    {"output bias", "bert", "attention.output.dense.bias", ZERO, NULL, NULL, false, false, false},
    {"up bias", "bert", "intermediate.dense.bias", ZERO, NULL, NULL, false, false, false},
    {"down bias", "bert", "0.output.dense.bias", ZERO, NULL, NULL, false, false, false},
    {"embedding norm bias", "bert", "embeddings.LayerNorm.bias", ZERO, NULL, NULL, false, false,
     false},
    {"attention norm bias", "bert", "attention.output.LayerNorm.bias", ZERO, NULL, NULL, false,
     false, false},
    {"ffn norm bias", "bert", "1.output.LayerNorm.bias", ZERO, NULL, NULL, false, false, false},
    {"embedding norm gain", "bert", "embeddings.LayerNorm.weight", ONE, NULL, NULL, false, false,
     false},
    {"attention norm gain", "bert", "attention.output.LayerNorm.weight", ONE, NULL, NULL, false,
     false, false},
    {"ffn norm gain", "bert", "1.output.LayerNorm.weight", ONE, NULL, NULL, false, false, false},
    {"position embeddings", "bert", "position_embeddings", ZERO, NULL, NULL, false, false, false},
    {"type embeddings", "bert", "token_type_embeddings", ZERO, NULL, NULL, false, false, false},
    {"key weights", "bert", "self.key.weight", ZERO, NULL, NULL, false, false, false},
    {"scale of scores", "bert", "self.query", DOUBLE, NULL, NULL, false, false, false},
    {"heads", "bert", NULL, KEEP, "\"num_attention_heads\": 3", "\"num_attention_heads\": 4", false,
     false, false},
    {"erf gelu as tanh", "bert", NULL, KEEP, "\"gelu\"", "\"gelu_new\"", false, false, false},
    {"tanh gelu as erf", "bert-head5", NULL, KEEP, "\"gelu_new\"", "\"gelu\"", false, false, false},
    {"relu as gelu", "bert-types3", NULL, KEEP, "\"relu\"", "\"gelu\"", false, false, false},
    {"silu as gelu", "bert-silu", NULL, KEEP, "\"silu\"", "\"gelu\"", false, false, false},
    {"eps 1e-5 as 1e-12", "bert-head5", NULL, KEEP, "1e-05", "1e-12", false, false, false},
    {"eps 1e-3 as 1e-5", "bert-silu", NULL, KEEP, "0.001", "1e-5", false, false, false},
    {"two type ids left out", "bert", NULL, KEEP, NULL, NULL, true, false, false},
    {"three type ids left out", "bert-types3", NULL, KEEP, NULL, NULL, true, false, false},
    {"order of fused parts", "bert-fused", "self.qkv.bias", ZERO, NULL, NULL, false, false, false},
    {"DistilBERT as it is", "distilbert", NULL, KEEP, NULL, NULL, false, true, false},
    {"DistilBERT's type ids, of which it has none", "distilbert", NULL, KEEP, NULL, NULL, true,
     true, false},
    {"DistilBERT's key bias", "distilbert", "k_lin.bias", ZERO, NULL, NULL, false, true, false},
    {"DistilBERT's query bias", "distilbert", "q_lin.bias", ZERO, NULL, NULL, false, false, false},
    {"DistilBERT's value bias", "distilbert", "v_lin.bias", ZERO, NULL, NULL, false, false, false},
    {"DistilBERT's output bias", "distilbert", "out_lin.bias", ZERO, NULL, NULL, false, false,
     false},
    {"DistilBERT's up bias", "distilbert", "lin1.bias", ZERO, NULL, NULL, false, false, false},
    {"DistilBERT's down bias", "distilbert", "lin2.bias", ZERO, NULL, NULL, false, false, false},
    {"DistilBERT's attention norm gain", "distilbert", "sa_layer_norm.weight", ONE, NULL, NULL,
     false, false, false},
    {"DistilBERT's ffn norm bias", "distilbert", "output_layer_norm.bias", ZERO, NULL, NULL, false,
     false, false},
    {"DistilBERT's positions", "distilbert", "position_embeddings", ZERO, NULL, NULL, false, false,
     false},
    {"DistilBERT's scale of scores", "distilbert", "q_lin", DOUBLE, NULL, NULL, false, false,
     false},
    {"DistilBERT's heads", "distilbert", NULL, KEEP, "\"n_heads\": 3", "\"n_heads\": 4", false,
     false, false},
    {"DistilBERT's activation", "distilbert", NULL, KEEP, "\"gelu\"", "\"gelu_new\"", false, false,
     false},
    {"relu of DistilBERT as gelu", "distilbert-st6", NULL, KEEP, "\"relu\"", "\"gelu\"", false,
     false, false},
    {"head as it is", "bert-sequence", NULL, KEEP, NULL, NULL, false, true, true},
    {"pooler's weights", "bert-sequence", "pooler.dense.weight", ZERO, NULL, NULL, false, false,
     true},
    {"pooler's bias", "bert-sequence", "pooler.dense.bias", ZERO, NULL, NULL, false, false, true},
    {"classifier's weights", "bert-sequence", "classifier.weight", ZERO, NULL, NULL, false, false,
     true},
    {"classifier's bias", "bert-sequence", "classifier.bias", ZERO, NULL, NULL, false, false, true},
    {"encoder under a head", "bert-sequence", "self.value.bias", ZERO, NULL, NULL, false, false,
     true},
    {"order of labels", "bert-sequence", NULL, KEEP, "\"anger\",\n  \"1\": \"joy\"",
     "\"joy\",\n  \"1\": \"anger\"", false, false, true},
    {"sigmoid as softmax", "bert-multi-label", NULL, KEEP, "multi_label", "single_label", false,
     false, true},
    {"raw as sigmoid", "bert-regression", NULL, KEEP, "\"regression\"", "null", false, false, true},
    {"DistilBERT's head as it is", "distilbert-sequence", NULL, KEEP, NULL, NULL, false, true,
     true},
    {"DistilBERT's pre_classifier", "distilbert-sequence", "pre_classifier.weight", ZERO, NULL,
     NULL, false, false, true},
    {"DistilBERT's bias before relu", "distilbert-sequence", "pre_classifier.bias", ZERO, NULL,
     NULL, false, false, true},
    {"RoBERTa as it is", "roberta", NULL, KEEP, NULL, NULL, false, true, false},
    {"RoBERTa's key bias", "roberta", "self.key.bias", ZERO, NULL, NULL, false, true, false},
    {"RoBERTa's query bias", "roberta", "self.query.bias", ZERO, NULL, NULL, false, false, false},
    {"RoBERTa's positions", "roberta", "position_embeddings", ZERO, NULL, NULL, false, false,
     false},
    {"where RoBERTa's positions begin", "roberta", NULL, KEEP, "\"pad_token_id\": 1",
     "\"pad_token_id\": 0", false, false, false},
    {"RoBERTa's only token type", "roberta", "token_type_embeddings", ZERO, NULL, NULL, false,
     false, false},
    {"type ids of RoBERTa", "roberta-pad0", NULL, KEEP, NULL, NULL, true, false, false},
    {"RoBERTa's dense", "roberta-sequence", "classifier.dense.weight", ZERO, NULL, NULL, false,
     false, true},
    {"RoBERTa's bias before tanh", "roberta-sequence", "classifier.dense.bias", ZERO, NULL, NULL,
     false, false, true},
    {"RoBERTa's out_proj", "roberta-sequence", "classifier.out_proj.bias", ZERO, NULL, NULL, false,
     false, true},
    {"ELECTRA as it is", "electra", NULL, KEEP, NULL, NULL, false, true, false},
    {"ELECTRA's projection", "electra", "embeddings_project.weight", ZERO, NULL, NULL, false, false,
     false},
    {"bias of ELECTRA's projection", "electra", "embeddings_project.bias", ZERO, NULL, NULL, false,
     false, false},
    {"ELECTRA's first gain", "electra", "embeddings.LayerNorm.weight", ONE, NULL, NULL, false,
     false, false},
    {"ELECTRA's token types", "electra", NULL, KEEP, NULL, NULL, true, false, false},
    {"ELECTRA's bias before gelu", "electra-sequence", "classifier.dense.bias", ZERO, NULL, NULL,
     false, false, true},
    {"ERNIE as it is", "ernie", NULL, KEEP, NULL, NULL, false, true, false},
    {"ERNIE's task", "ernie", "task_type_embeddings", ZERO, NULL, NULL, false, false, false},
    {"ERNIE without its task", "ernie", NULL, KEEP, "\"use_task_id\": true",
     "\"use_task_id\": false", false, false, false},
    {"ERNIE's pooler", "ernie-sequence", "pooler.dense.bias", ZERO, NULL, NULL, false, false, true},
    {"ALBERT as it is", "albert", NULL, KEEP, NULL, NULL, false, true, false},
    {"ALBERT's mapping", "albert", "hidden_mapping_in.weight", ZERO, NULL, NULL, false, false,
     false},
    {"bias of ALBERT's mapping", "albert", "hidden_mapping_in.bias", ZERO, NULL, NULL, false, false,
     false},
    {"ALBERT's value bias", "albert", "attention.value.bias", ZERO, NULL, NULL, false, false,
     false},
    {"ALBERT's attention norm", "albert", "attention.LayerNorm.weight", ONE, NULL, NULL, false,
     false, false},
    {"ALBERT's up bias", "albert", "ffn.bias", ZERO, NULL, NULL, false, false, false},
    {"ALBERT's down bias", "albert", "ffn_output.bias", ZERO, NULL, NULL, false, false, false},
    {"ALBERT's last norm", "albert", "full_layer_layer_norm.bias", ZERO, NULL, NULL, false, false,
     false},
    {"ALBERT's activation", "albert", NULL, KEEP, "\"gelu_new\"", "\"gelu\"", false, false, false},
    {"ALBERT's pooler", "albert-sequence", "pooler.bias", ZERO, NULL, NULL, false, false, true},
    {"MPNet as it is", "mpnet", NULL, KEEP, NULL, NULL, false, true, false},
    {"MPNet's key bias", "mpnet", "attn.k.bias", ZERO, NULL, NULL, false, true, false},
    {"MPNet's query bias", "mpnet", "attn.q.bias", ZERO, NULL, NULL, false, false, false},
    {"MPNet's output bias", "mpnet", "attn.o.bias", ZERO, NULL, NULL, false, false, false},
    {"MPNet's relative positions", "mpnet", "relative_attention_bias", ZERO, NULL, NULL, false,
     false, false},
    {"MPNet's positions", "mpnet", "position_embeddings", ZERO, NULL, NULL, false, false, false},
    {"MPNet's bias before tanh", "mpnet-sequence", "classifier.dense.bias", ZERO, NULL, NULL, false,
     false, true},
    {"RoFormer as it is", "roformer", NULL, KEEP, NULL, NULL, false, true, false},
    {"RoFormer's key bias, which is turned", "roformer", "self.key.bias", ZERO, NULL, NULL, false,
     false, false},
    {"RoFormer's projection", "roformer", "embeddings_project.bias", ZERO, NULL, NULL, false, false,
     false},
    {"angles of RoFormer", "roformer", NULL, KEEP, "\"num_attention_heads\": 3",
     "\"num_attention_heads\": 9", false, false, false},
    {"sines of RoFormer's file, which are computed", "roformer", "embed_positions", ZERO, NULL,
     NULL, false, true, false},
    {"the activation of RoFormer's head", "roformer-sequence", NULL, KEEP, "\"silu\"", "\"relu\"",
     false, false, true},
    {"BigBird as it is", "big_bird", NULL, KEEP, NULL, NULL, false, true, false},
    {"BigBird's value bias", "big_bird", "self.value.bias", ZERO, NULL, NULL, false, false, false},
    {"the activation of BigBird's head", "big_bird-sequence", NULL, KEEP, "\"relu\"", "\"silu\"",
     false, false, true},
    {"Longformer as it is", "longformer", NULL, KEEP, NULL, NULL, false, true, false},
    {"Longformer's window", "longformer", NULL, KEEP, "4,\n  4", "6,\n  6", false, false, false},
    {"Longformer's query for all", "longformer", "query_global", ZERO, NULL, NULL, false, true,
     false},
    {"Longformer's classifier", "longformer-sequence", NULL, KEEP, NULL, NULL, false, true, true},
    {"the query that sees all", "longformer-sequence", "query_global", DOUBLE, NULL, NULL, false,
     false, true},
    {"the bias of values for it", "longformer-sequence", "value_global.bias", ZERO, NULL, NULL,
     false, false, true},
    {"the bias of keys for it, which cancels", "longformer-sequence", "key_global.bias", ZERO, NULL,
     NULL, false, true, true},
    {"ModernBERT as it is", "modernbert", NULL, KEEP, NULL, NULL, false, true, false},
    {"ModernBERT's window", "modernbert", NULL, KEEP, "\"local_attention\": 6",
     "\"local_attention\": 4", false, false, false},
    {"ModernBERT's angles in windows", "modernbert", NULL, KEEP, "10000.0", "9000.0", false, false,
     false},
    {"ModernBERT's angles in full layers", "modernbert", NULL, KEEP, "160000.0", "9000.0", false,
     false, false},
    {"ModernBERT's first norm of a later layer", "modernbert", "layers.1.attn_norm.weight", ONE,
     NULL, NULL, false, false, false},
    {"ModernBERT's last norm", "modernbert", "final_norm.weight", ONE, NULL, NULL, false, false,
     false},
    {"ModernBERT's heads", "modernbert", NULL, KEEP, "\"num_attention_heads\": 3",
     "\"num_attention_heads\": 4", false, false, false},
    {"older ModernBERT as it is", "modernbert-old", NULL, KEEP, NULL, NULL, false, true, false},
    {"older ModernBERT's full layers", "modernbert-old", NULL, KEEP,
     "\"global_attn_every_n_layers\": 2", "\"global_attn_every_n_layers\": 3", false, false, false},
    {"older ModernBERT's value bias", "modernbert-old", "Wqkv.bias", ZERO, NULL, NULL, false, false,
     false},
    {"older ModernBERT's net bias", "modernbert-old", "mlp.Wi.bias", ZERO, NULL, NULL, false, false,
     false},
    {"older ModernBERT's norm bias", "modernbert-old", "mlp_norm.bias", ZERO, NULL, NULL, false,
     false, false},
    {"ModernBERT's head as it is", "modernbert-sequence", NULL, KEEP, NULL, NULL, false, true,
     true},
    {"mean as first", "modernbert-sequence", NULL, KEEP, "\"mean\"", "\"cls\"", false, false, true},
    {"norm of the head", "modernbert-sequence", "head.norm.weight", ONE, NULL, NULL, false, false,
     true},
    {"norm's bias of the head", "modernbert-sequence", "head.norm.bias", ZERO, NULL, NULL, false,
     false, true},
    {"T5 as it is", "t5", NULL, KEEP, NULL, NULL, false, true, false},
    {"T5's distances", "t5", "relative_attention_bias", ZERO, NULL, NULL, false, false, false},
    {"T5's farthest distance", "t5", NULL, KEEP, "\"relative_attention_max_distance\": 9",
     "\"relative_attention_max_distance\": 30", false, false, false},
    {"T5's scale of scores", "t5", "SelfAttention.q", DOUBLE, NULL, NULL, false, false, false},
    {"T5's last norm", "t5", "final_layer_norm", ONE, NULL, NULL, false, false, false},
    {"T5's relu as gelu", "t5", NULL, KEEP, "\"feed_forward_proj\": \"relu\"",
     "\"feed_forward_proj\": \"gelu\"", false, false, false},
    {"gate of T5", "t5-st6", "wi_0", DOUBLE, NULL, NULL, false, false, false},
    {"mT5's eps", "mt5", NULL, KEEP, "0.001", "1e-6", false, false, false},
    {"UMT5 as it is", "umt5", NULL, KEEP, NULL, NULL, false, true, false},
    {"UMT5's distances of a later layer", "umt5",
     "block.2.layer.0.SelfAttention.relative_attention_bias", ZERO, NULL, NULL, false, false,
     false},
    {"Qwen3 as it is", "qwen3", NULL, KEEP, NULL, NULL, false, true, false},
    {"Qwen3's norm of queries", "qwen3", "q_norm", ONE, NULL, NULL, false, false, false},
    {"Qwen3's norm of keys", "qwen3", "k_norm", ONE, NULL, NULL, false, false, false},
    {"Qwen3's heads of keys", "qwen3", NULL, KEEP, "\"num_key_value_heads\": 2",
     "\"num_key_value_heads\": 2, \"is_causal\": false", false, false, false},
    {"Qwen3's angles", "qwen3", NULL, KEEP, "\"rope_theta\": 10000.0", "\"rope_theta\": 9000.0",
     false, false, false},
    {"older Qwen3's angles", "qwen3-st6", NULL, KEEP, "\"rope_theta\": 1000.0",
     "\"rope_theta\": 1100.0", false, false, false},
    {"Qwen3 on both sides", "qwen3-both-sides", NULL, KEEP, "\"is_causal\": false",
     "\"is_causal\": true", false, false, false},
    {"Qwen2's query bias", "qwen2", "q_proj.bias", ZERO, NULL, NULL, false, false, false},
    {"Llama's output bias", "llama", "o_proj.bias", ZERO, NULL, NULL, false, false, false},
    {"Llama's bias of the gate", "llama", "gate_proj.bias", ZERO, NULL, NULL, false, false, false},
    {"Mistral as it is", "mistral", NULL, KEEP, NULL, NULL, false, true, false},
    {"Mistral's window", "mistral", NULL, KEEP, "\"sliding_window\": 4", "\"sliding_window\": 5",
     false, false, false},
    {"Mistral without a window", "mistral", NULL, KEEP, "\"sliding_window\": 4",
     "\"sliding_window\": null", false, false, false},
    {"Mistral's window of both sides", "mistral-both-sides", NULL, KEEP, "\"sliding_window\": 3",
     "\"sliding_window\": 4", false, false, false},
    {"EuroBERT's angles", "eurobert", NULL, KEEP, "\"rope_theta\": 10000.0",
     "\"rope_theta\": 9000.0", false, false, false},
    {"NomicBERT's gate", "nomic_bert", "gate_proj", DOUBLE, NULL, NULL, false, false, false},
    {"NomicBERT's types", "nomic_bert", "token_type", ZERO, NULL, NULL, false, false, false},
    {"NomicBERT's gate under its old name", "nomic_bert-authors", "fc12", DOUBLE, NULL, NULL, false,
     false, false},
    {"NomicBERT of its authors as it is", "nomic_bert-published", NULL, KEEP, NULL, NULL, false,
     true, false},
    {"NomicBERT's angles in its authors' words", "nomic_bert-published", NULL, KEEP,
     "\"rotary_emb_base\": 500.0", "\"rotary_emb_base\": 550.0", false, false, false},
    {"NomicBERT's eps in its authors' words", "nomic_bert-published", NULL, KEEP,
     "\"layer_norm_epsilon\": 0.001", "\"layer_norm_epsilon\": 0.1", false, false, false},
    {"NomicBERT's activation in its authors' words", "nomic_bert-published", NULL, KEEP,
     "\"swiglu\"", "\"geglu\"", false, false, false},
    {"NomicBERT's what the gate lets through", "nomic_bert-published", "fc11", DOUBLE, NULL, NULL,
     false, false, false},
    {"NomicBERT's pooler under its authors' names", "nomic_bert-published-sequence",
     "pooler.dense.bias", ZERO, NULL, NULL, false, false, true},
    {"GTE's bias of the net", "gte", "down_proj.bias", ZERO, NULL, NULL, false, false, false},
    {"GTE's halves of the net as they are", "gte-authors", NULL, KEEP, NULL, NULL, false, true,
     false},
    {"GTE of its authors as it is", "gte_new", NULL, KEEP, NULL, NULL, false, true, false},
    {"GTE's positions as long as they are", "gte_new", NULL, KEEP, "\"factor\": 8.0",
     "\"factor\": 7.0", false, false, false},
    {"GTE's gate in one matrix", "gte_new", "up_gate_proj", DOUBLE, NULL, NULL, false, false,
     false},
    {"GTE's pooler", "gte_new-sequence", "pooler.dense.bias", ZERO, NULL, NULL, false, false, true},
    {"Jina's net as it is", "jina_v3", NULL, KEEP, NULL, NULL, false, true, false},
    {"Jina's bias inside the net", "jina_v3", "fc1.bias", ZERO, NULL, NULL, false, false, false},
    {"Jina's bias behind the net", "jina_v3", "fc2.bias", ZERO, NULL, NULL, false, false, false},
    {"Jina's angles", "jina_v3", NULL, KEEP, "\"rope_theta\": 20000.0", "\"rope_theta\": 10000.0",
     false, false, false},
    {"Jina's layers under older names", "jina_v3-authors", "mixer.Wqkv.bias", ZERO, NULL, NULL,
     false, false, false},
    {"Jina's of its authors as it is", "jina_v3-published", NULL, KEEP, NULL, NULL, false, true,
     false},
    {"Jina's angles in its authors' words", "jina_v3-published", NULL, KEEP,
     "\"rotary_emb_base\": 500.0", "\"rotary_emb_base\": 550.0", false, false, false},
    {"Jina's words beside their adapters", "jina_v3-published",
     "word_embeddings.parametrizations.weight.original", DOUBLE, NULL, NULL, false, false, false},
    {"Jina's adapters", "jina_v3-published", "lora_A", DOUBLE, NULL, NULL, false, true, false},
    {"Jina's reranker as it is", "xlm_roberta_flash", NULL, KEEP, NULL, NULL, false, true, true},
    {"Jina's reranker's queries, keys and values", "xlm_roberta_flash", "Wqkv.bias", ZERO, NULL,
     NULL, false, false, true},
    {"Jina's reranker's net", "xlm_roberta_flash", "fc1.bias", ZERO, NULL, NULL, false, false,
     true},
    {"Jina's reranker's first norm", "xlm_roberta_flash", "emb_ln", ZERO, NULL, NULL, false, false,
     true},
    {"Jina's reranker's positions", "xlm_roberta_flash", "position_embeddings", ZERO, NULL, NULL,
     false, false, true},
    {"Jina's head", "jina_v3-sequence", "classifier.dense.bias", ZERO, NULL, NULL, false, false,
     true},
    {"EuroBERT's head as it is", "eurobert-sequence", NULL, KEEP, NULL, NULL, false, true, true},
    {"EuroBERT's head, whose pooling is late, as of the mean", "eurobert-sequence", NULL, KEEP,
     "\"late\"", "\"mean\"", false, false, true},
    {"EuroBERT's head of the mean, as late", "eurobert-sequence-mean", NULL, KEEP, "\"mean\"",
     "\"late\"", false, false, true},
    {"EuroBERT's head of the first token, as of the mean", "eurobert-sequence-bos", NULL, KEEP,
     "\"bos\"", "\"mean\"", false, false, true},
    {"the layer before EuroBERT's scores", "eurobert-sequence", "dense.bias", ZERO, NULL, NULL,
     false, false, true},
    {"MobileBERT as it is", "mobilebert", NULL, KEEP, NULL, NULL, false, true, false},
    {"MobileBERT's bottleneck of queries", "mobilebert", "bottleneck.attention.dense.weight",
     DOUBLE, NULL, NULL, false, false, false},
    {"MobileBERT's bottleneck of values", "mobilebert", "bottleneck.input.dense.weight", DOUBLE,
     NULL, NULL, false, false, false},
    {"MobileBERT's scale", "mobilebert", "bottleneck.input.LayerNorm.weight", ONE, NULL, NULL,
     false, false, false},
    {"MobileBERT's third net", "mobilebert", "ffn.2.output.dense.bias", ZERO, NULL, NULL, false,
     false, false},
    {"MobileBERT's own net", "mobilebert", "intermediate.dense.bias", ZERO, NULL, NULL, false,
     false, false},
    {"MobileBERT's nets", "mobilebert", NULL, KEEP, "\"num_feedforward_networks\": 4",
     "\"num_feedforward_networks\": 3", false, false, false},
    {"MobileBERT's types", "mobilebert", "token_type_embeddings", ZERO, NULL, NULL, false, false,
     false},
    {"MobileBERT's pooler", "mobilebert-sequence", "pooler.dense.bias", ZERO, NULL, NULL, false,
     false, true},
    {"MobileBERT's head without a pooler", "mobilebert-sequence-plain", "classifier.bias", ZERO,
     NULL, NULL, false, false, true},
    {"JinaBERT as it is", "jina_bert", NULL, KEEP, NULL, NULL, false, true, false},
    {"JinaBERT's other slopes as they are", "jina_bert-heads3", NULL, KEEP, NULL, NULL, false, true,
     false},
    {"JinaBERT's types", "jina_bert", "token_type_embeddings", ZERO, NULL, NULL, false, false,
     false},
    {"JinaBERT's gate", "jina_bert", "gated_layers", DOUBLE, NULL, NULL, false, false, false},
    {"JinaBERT's bias of the net", "jina_bert", "wo.bias", ZERO, NULL, NULL, false, false, false},
    {"JinaBERT's activation", "jina_bert-heads3", NULL, KEEP, "\"reglu\"", "\"geglu\"", false,
     false, false},
    {"RoBERTa's norm behind all layers", "roberta-prelayernorm", "LayerNorm.weight", ONE, NULL,
     NULL, false, false, false},
    {"RoBERTa's norm before attention", "roberta-prelayernorm", "attention.LayerNorm.bias", ZERO,
     NULL, NULL, false, false, false},
    {"RoBERTa's norm before the net", "roberta-prelayernorm", "intermediate.LayerNorm.bias", ZERO,
     NULL, NULL, false, false, false},
    {"XLM-RoBERTa-XL's eps", "xlm-roberta-xl", NULL, KEEP, "0.001", "1e-6", false, false, false},
    {"MegatronBERT's last norm", "megatron-bert", "encoder.ln.weight", ONE, NULL, NULL, false,
     false, false},
    {"MegatronBERT's pooler", "megatron-bert-sequence", "pooler.dense.bias", ZERO, NULL, NULL,
     false, false, true},
    {"RemBERT's projection", "rembert", "embedding_hidden_mapping_in.bias", ZERO, NULL, NULL, false,
     false, false},
    {"RemBERT's classifier", "rembert-sequence", "classifier.bias", ZERO, NULL, NULL, false, false,
     true},
    {"data2vec's classifier", "roberta-data2vec", "classifier.dense.bias", ZERO, NULL, NULL, false,
     false, true},
    {"DeBERTa as it is", "deberta-v2", NULL, KEEP, NULL, NULL, false, true, false},
    {"DeBERTa's distances", "deberta-v2", "rel_embeddings", ZERO, NULL, NULL, false, false, false},
    {"DeBERTa's norm of distances", "deberta-v2", "encoder.LayerNorm.weight", ONE, NULL, NULL,
     false, false, false},
    {"DeBERTa's buckets", "deberta-v2", NULL, KEEP, "\"max_relative_positions\": -1",
     "\"max_relative_positions\": 20", false, false, false},
    {"DeBERTa's keys of distances", "deberta-v2", NULL, KEEP, "\"c2p\"", "\"p2p\"", false, false,
     false},
    {"DeBERTa's queries of distances", "deberta-v2", NULL, KEEP, "\"p2c\"", "\"p2p\"", false, false,
     false},
    {"DeBERTa's kind of score", "deberta-v2-one-way", NULL, KEEP, "\"p2c\"", "\"c2p\"", false,
     false, false},
    {"Gemma as it is", "gemma3", NULL, KEEP, NULL, NULL, false, true, false},
    {"Gemma's norm behind attention", "gemma3", "post_attention_layernorm", ZERO, NULL, NULL, false,
     false, false},
    {"Gemma's window", "gemma3", NULL, KEEP, "\"sliding_window\": 5", "\"sliding_window\": 4",
     false, false, false},
    {"Gemma's scale", "gemma3", NULL, KEEP, "\"query_pre_attn_scalar\": 9",
     "\"query_pre_attn_scalar\": 10", false, false, false},
    {"older Gemma as it is", "gemma3-both-sides", NULL, KEEP, NULL, NULL, false, true, false},
    {"older Gemma's full layers", "gemma3-both-sides", NULL, KEEP, "\"sliding_window_pattern\": 2",
     "\"sliding_window_pattern\": 1", false, false, false},
    {"gain under its old name", "bert-gamma", "LayerNorm.gamma", ONE, NULL, NULL, false, false,
     false},
};

/* Of heads that read pairs; `scores` are what they make of them. */
static const mutation of_pairs[] = {
    {"cross-encoder as it is", "bert-cross", NULL, KEEP, NULL, NULL, false, true, true},
    {"cross-encoder's pooler", "bert-cross", "pooler.dense.weight", ZERO, NULL, NULL, false, false,
     true},
    {"cross-encoder's bias", "bert-cross", "classifier.bias", ZERO, NULL, NULL, false, false, true},
    {"types of both texts", "bert-cross", "token_type_embeddings", ZERO, NULL, NULL, false, false,
     true},
    {"raw score as it is", "bert-cross-raw", NULL, KEEP, NULL, NULL, false, true, true},
    {"raw score as sigmoid", "bert-cross-raw", NULL, KEEP, "torch.nn.modules.linear.Identity",
     "torch.nn.modules.activation.Sigmoid", false, false, true},
    {"DistilBERT's cross-encoder", "distilbert-cross-st6", NULL, KEEP, NULL, NULL, false, true,
     true},
    {"weights of DistilBERT's cross-encoder", "distilbert-cross-st6", "classifier.weight", ZERO,
     NULL, NULL, false, false, true},
    {"entailment as it is", "bert-nli", NULL, KEEP, NULL, NULL, false, true, true},
    {"entailment's bias", "bert-nli", "classifier.bias", ZERO, NULL, NULL, false, false, true},
    {"next sentence as it is", "bert-next", NULL, KEEP, NULL, NULL, false, true, true},
    {"next sentence's pooler", "bert-next", "pooler.dense.bias", ZERO, NULL, NULL, false, false,
     true},
    {"next sentence's weights", "bert-next", "seq_relationship.weight", ZERO, NULL, NULL, false,
     false, true},
    {"next sentence's bias", "bert-next", "seq_relationship.bias", ZERO, NULL, NULL, false, false,
     true},
    {"MobileBERT's next sentence", "mobilebert-next", NULL, KEEP, NULL, NULL, false, true, true},
    {"MobileBERT's pooler of the next sentence", "mobilebert-next", "pooler.dense.bias", ZERO, NULL,
     NULL, false, false, true},
    {"MegatronBERT's next sentence", "megatron-bert-next", NULL, KEEP, NULL, NULL, false, true,
     true},
    {"answers as they are", "bert-answer", NULL, KEEP, NULL, NULL, false, true, true},
    {"weights of answers", "bert-answer", "qa_outputs.weight", ZERO, NULL, NULL, false, false,
     true},
    {"types of question and context", "bert-answer", "token_type_embeddings", ZERO, NULL, NULL,
     false, false, true},
    {"RoBERTa's answers", "roberta-answer-bytes", NULL, KEEP, NULL, NULL, false, true, true},
    {"weights of RoBERTa's answers", "roberta-answer-bytes", "qa_outputs.weight", DOUBLE, NULL,
     NULL, false, false, true},
    {"BigBird's answers", "big_bird-answer", NULL, KEEP, NULL, NULL, false, true, true},
    {"the net before BigBird's answers", "big_bird-answer", "qa_classifier.intermediate.dense.bias",
     ZERO, NULL, NULL, false, false, true},
    {"what leads back from it", "big_bird-answer", "qa_classifier.output.dense.weight", DOUBLE,
     NULL, NULL, false, false, true},
    {"the norm behind it", "big_bird-answer", "qa_classifier.output.LayerNorm.weight", ONE, NULL,
     NULL, false, false, true},
    {"the separator that gives types", "big_bird-answer-types", NULL, KEEP, "\"sep_token_id\": 3",
     "\"sep_token_id\": 2", false, false, true},
    {"Longformer's answers", "longformer-answer", NULL, KEEP, NULL, NULL, false, true, true},
    {"queries that see all", "longformer-answer", "query_global", DOUBLE, NULL, NULL, false, false,
     true},
    {"the separator before which tokens see all", "longformer-answer", NULL, KEEP,
     "\"sep_token_id\": 2", "\"sep_token_id\": 4", false, false, true},
    {"ModernBERT's answers", "modernbert-answer", NULL, KEEP, NULL, NULL, false, true, true},
    {"the layer before ModernBERT's answers", "modernbert-answer", "head.dense.bias", ZERO, NULL,
     NULL, false, false, true},
    {"the norm before ModernBERT's answers", "modernbert-answer", "head.norm.weight", ONE, NULL,
     NULL, false, false, true},
    {"RoBERTa's entailment", "roberta-nli", NULL, KEEP, NULL, NULL, false, true, true},
    {"the layer before RoBERTa's entailment", "roberta-nli", "classifier.dense.bias", ZERO, NULL,
     NULL, false, false, true},
    {"DistilBERT's answers", "distilbert-answer", NULL, KEEP, NULL, NULL, false, true, true},
    {"weights of DistilBERT's answers", "distilbert-answer", "qa_outputs.weight", DOUBLE, NULL,
     NULL, false, false, true},
};

static void
change_floats(change how, char *data, size_t bytes)
{
    for (size_t at = 0; at + sizeof(float) <= bytes; at += sizeof(float)) {
        float value;

        memcpy(&value, data + at, sizeof value);
        value = how == ZERO ? 0 : how == ONE ? 1 : 2 * value;
        memcpy(data + at, &value, sizeof value);
    }
}

/* Alter matching tensors in the folder's memory; every mutation must match something. */
static void
change_tensors(golden_folder *folder, const mutation *m)
{
    lm_tensors tensors = {.count = 0};
    int changed = 0;

    CHECK_OK(folder->ctx,
             lm_tensors_open(folder->ctx, &folder->arena, &folder->source, "", &tensors));
    for (size_t i = 0; i < tensors.count; i++) {
        const lm_tensor *tensor = &tensors.items[i];
        fake_file *file = fake_find(&folder->files, tensor->file);

        if (!strstr(tensor->name, m->tensor))
            continue;
        change_floats(m->change, (char *)(uintptr_t)file->data + tensor->offset,
                      (size_t)tensor->bytes);
        changed++;
    }
    CHECK(changed > 0);
}

static void
change_config(golden_folder *folder, const mutation *m)
{
    fake_file *config = fake_find(&folder->files, "config.json");
    const char *hit = strstr(config->data, m->from);
    size_t before, from = strlen(m->from), to = strlen(m->to);
    char *changed = lm_arena_alloc(&folder->arena, config->size + to + 1);

    if (!hit) {
        UNIT_FAIL("config.json of %s has no %s", m->folder, m->from);
        return;
    }
    before = (size_t)(hit - config->data);
    memcpy(changed, config->data, before);
    memcpy(changed + before, m->to, to);
    memcpy(changed + before + to, hit + from, config->size - before - from + 1);
    config->data = changed;
    config->size += to - from;
}

/* Of hidden states, of scores, or of those of pairs; 0 where the model does not load. */
static double
error_of(golden_folder *folder, const mutation *m, bool pairs)
{
    const lm_kernels *kernels = lm_kernels_at(LM_LEVEL_SCALAR);
    golden_weights weights;
    loaded_model loaded;
    double error = 0;

    if (m->scores) {
        CHECK_OK(folder->ctx, loaded_open(folder->ctx, &folder->source, kernels, &loaded));
        if (loaded.image) {
            error = pairs ? golden_pairs_error(folder, &loaded.model)
                          : golden_scores_error(folder, &loaded.model);
            loaded_close(folder->ctx, &loaded);
        }
        return error;
    }
    CHECK_OK(folder->ctx, golden_load(folder, &folder->source, kernels, &weights));
    if (weights.image) {
        error = golden_hidden_error(folder, &weights.weights, !m->without_types);
        golden_unload(folder, &weights);
    }
    return error;
}

static void
run_mutation(const mutation *m, bool pairs)
{
    golden_pair_function function;
    const lm_json *section;
    golden_folder folder;
    lm_context ctx;
    double error, tolerance;

    lm_context_init(&ctx);
    golden_open(&ctx, m->folder, &folder);
    if (m->tensor)
        change_tensors(&folder, m);
    if (m->from)
        change_config(&folder, m);
    section = pairs ? golden_pair_section(&folder, &function)
                    : lm_json_get(folder.golden, m->scores ? "scores" : "hidden");
    tolerance = golden_tolerance(section);
    error = error_of(&folder, m, pairs);
    if (m->green ? !(error <= tolerance) : !(error > 3 * tolerance))
        UNIT_FAIL("%s of %s: error %g, tolerance %g", m->what, m->folder, error, tolerance);
    golden_close(&folder);
}

static void
goldens_see(void)
{
    for (size_t i = 0; i < sizeof mutations / sizeof mutations[0]; i++)
        run_mutation(&mutations[i], false);
}

static void
goldens_of_pairs_see(void)
{
    for (size_t i = 0; i < sizeof of_pairs / sizeof of_pairs[0]; i++)
        run_mutation(&of_pairs[i], true);
}

static const unit_case cases[] = {
    {"goldens see every mutation", goldens_see},
    {"goldens of pairs see every mutation", goldens_of_pairs_see},
};

UNIT_MAIN(cases)
