"""JinaBERT in PyTorch, for make-golden.py: no version of transformers has the class, and its authors' file is not used.

Written from what is published of it: Günther et al. 2023 (https://arxiv.org/abs/2310.19923), section 4: BERT whose
positions are symmetric biases of attention, and whose net is GEGLU; Press et al. 2022 (https://arxiv.org/abs/2108.12409)
for the slopes; the settings of jinaai/jina-embeddings-v2-base-en; and the names and shapes of tensors that other
engines for it agree on (vLLM, candle, text-embeddings-inference).
"""

import math

import torch
import transformers


class JinaBertConfig(transformers.PretrainedConfig):
    model_type = "jina_bert_reference"

    def __init__(self, vocab_size=30528, hidden_size=768, num_hidden_layers=12, num_attention_heads=12,
                 intermediate_size=3072, max_position_embeddings=8192, type_vocab_size=2, layer_norm_eps=1e-12,
                 position_embedding_type="alibi", feed_forward_type="geglu", hidden_act="gelu",
                 emb_pooler="mean", model_max_length=8192, **more):
        for name, value in locals().items():
            if name not in ("self", "more", "__class__"):
                setattr(self, name, value)
        super().__init__(**more)


def slopes(heads):
    """2^(-8 k / n) for k from 1, where n is a power of two; else those of the power below, then each second one of
    the power above."""
    below = 2 ** math.floor(math.log2(heads))
    found = [2.0 ** (-8 * k / below) for k in range(1, below + 1)]
    return found + [2.0 ** (-8 * k / (2 * below)) for k in range(1, 2 * below, 2)][:heads - below]


class Layer(torch.nn.Module):
    def __init__(self, config):
        super().__init__()
        width, inner = config.hidden_size, config.intermediate_size
        linear, norm = torch.nn.Linear, lambda: torch.nn.LayerNorm(width, eps=config.layer_norm_eps)
        parts = torch.nn.ModuleDict
        self.attention = parts({
            "self": parts({name: linear(width, width) for name in ("query", "key", "value")}),
            "output": parts({"dense": linear(width, width), "LayerNorm": norm()})})
        self.mlp = parts({"gated_layers": linear(width, 2 * inner, bias=False), "wo": linear(inner, width),
                          "layernorm": norm()})
        self.heads = config.num_attention_heads
        self.act = {"geglu": torch.nn.functional.gelu, "reglu": torch.relu}[config.feed_forward_type]

    def forward(self, x, bias):
        split = lambda name: self.attention["self"][name](x).unflatten(-1, (self.heads, -1)).transpose(1, 2)
        query, key, value = map(split, ("query", "key", "value"))
        scores = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1]) + bias
        attended = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        output = self.attention["output"]
        x = output["LayerNorm"](x + output["dense"](attended))
        gate, let = self.mlp["gated_layers"](x).chunk(2, -1)
        return self.mlp["layernorm"](x + self.mlp["wo"](self.act(gate) * let))


class JinaBertModel(transformers.PreTrainedModel):
    config_class = JinaBertConfig
    base_model_prefix = "bert"

    def __init__(self, config):
        super().__init__(config)
        width = config.hidden_size
        self.embeddings = torch.nn.ModuleDict({
            "word_embeddings": torch.nn.Embedding(config.vocab_size, width),
            "token_type_embeddings": torch.nn.Embedding(config.type_vocab_size, width),
            "LayerNorm": torch.nn.LayerNorm(width, eps=config.layer_norm_eps)})
        self.encoder = torch.nn.ModuleDict({
            "layer": torch.nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])})
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_ids, attention_mask=None, token_type_ids=None, output_hidden_states=False, **_):
        """One text at a time, so that nothing is masked."""
        assert attention_mask is None or bool(attention_mask.all())
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        words = self.embeddings["word_embeddings"](input_ids)
        x = self.embeddings["LayerNorm"](words + self.embeddings["token_type_embeddings"](types))
        places = torch.arange(input_ids.shape[1])
        distances = (places[:, None] - places[None, :]).abs().to(x.dtype)
        bias = -torch.tensor(slopes(self.config.num_attention_heads), dtype=x.dtype)[:, None, None] * distances
        states = [x]
        for layer in self.encoder["layer"]:
            states.append(layer(states[-1], bias))
        return transformers.modeling_outputs.BaseModelOutput(last_hidden_state=states[-1], hidden_states=tuple(states))


transformers.AutoConfig.register(JinaBertConfig.model_type, JinaBertConfig)
transformers.AutoModel.register(JinaBertConfig, JinaBertModel)


def as_published(config):
    """A config.json in the words of its authors' files."""
    code = "jinaai/jina-bert-implementation--"
    config.update(model_type="bert", _name_or_path="jinaai/jina-bert-implementation", attn_implementation="torch",
                  architectures=["JinaBertForMaskedLM"], auto_map={
        "AutoConfig": code + "configuration_bert.JinaBertConfig",
        "AutoModel": code + "modeling_bert.JinaBertModel",
        "AutoModelForMaskedLM": code + "modeling_bert.JinaBertForMaskedLM",
        "AutoModelForSequenceClassification": code + "modeling_bert.JinaBertForSequenceClassification"})
