"""NomicBERT as its authors publish it, for make-golden.py: the library's NomicBERT under their settings and names.

Their code is not used. The settings are those of NomicBertConfig of github.com/nomic-ai/contrastors and of the GPT2Config that
it is made of, as in the files of nomic-embed-text-v1.5; the names are those that the library itself turns into its own.
"""
import transformers

NomicBertAuthorsConfig, NomicBertAuthorsModel = transformers.NomicBertConfig, transformers.NomicBertModel
NomicBertAuthorsForSequenceClassification = transformers.NomicBertForSequenceClassification


class NomicBertAuthorsForMaskedLM(transformers.NomicBertForMaskedLM):
    """Their head of pre-training has no biases: here they stay 0."""

    def __init__(self, config):
        super().__init__(config)
        for name, weight in self.named_parameters():
            if name in NOT_THEIRS:
                weight.requires_grad_(False).zero_()


NOT_THEIRS = ("cls.predictions.transform.dense.bias", "cls.predictions.bias")


def as_published(config):
    """A config.json in the words of its authors' files. A net's width and the vocabulary are what they are rounded up from."""
    code = "nomic-ai/nomic-bert-2048--"
    name, = config["architectures"]
    head = name.removeprefix("NomicBert").removeprefix("Authors").replace("ForMaskedLM", "ForPreTraining")
    labels = {key: config[key] for key in ("id2label", "label2id") if key in config}
    published = dict(
        labels, model_type="nomic_bert", architectures=["NomicBert" + head], activation_function="swiglu", attn_pdrop=0.0,
        auto_map={"AutoConfig": code + "configuration_hf_nomic_bert.NomicBertConfig",
                  "AutoModel": code + "modeling_hf_nomic_bert.NomicBertModel",
                  "AutoModelForMaskedLM": code + "modeling_hf_nomic_bert.NomicBertForPreTraining"},
        bos_token_id=None, causal=False, dense_seq_output=True, embd_pdrop=0.0, eos_token_id=None, fused_bias_fc=True,
        fused_dropout_add_ln=True, initializer_range=0.02, layer_norm_epsilon=config["layer_norm_eps"],
        max_trained_positions=2048, mlp_fc1_bias=False, mlp_fc2_bias=False, n_embd=config["hidden_size"],
        n_head=config["num_attention_heads"], n_inner=config["intermediate_size"] - 56, n_layer=config["num_hidden_layers"],
        n_positions=config["max_position_embeddings"], pad_vocab_size_multiple=4, parallel_block=False,
        parallel_block_tied_norm=False, prenorm=False, qkv_proj_bias=False, reorder_and_upcast_attn=False, resid_pdrop=0.0,
        rotary_emb_base=config["rope_parameters"]["rope_theta"], rotary_emb_fraction=1.0, rotary_emb_interleaved=False,
        rotary_emb_scale_base=None, rotary_scaling_factor=None, scale_attn_by_inverse_layer_idx=False,
        scale_attn_weights=True, summary_activation=None, summary_first_dropout=0.0, summary_proj_to_labels=True,
        summary_type="cls_index", summary_use_proj=True, torch_dtype="float32", transformers_version="4.37.2",
        type_vocab_size=config["type_vocab_size"], use_cache=True, use_flash_attn=True, use_rms_norm=False,
        use_xentropy=True, vocab_size=config["vocab_size"] - 1)
    config.clear()
    config.update(published)
