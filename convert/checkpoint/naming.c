/* naming.c - three names for the same matrices
 *
 * Hugging Face's come with q and k permuted for half-split RoPE, Mistral's own with interleaved
 * pairs (transformers' convert_mistral_weights_to_hf.py does the permutation), and GGUF's
 * interleaved again (llama.cpp's convert_hf_to_gguf.py undoes it).
 */
#include "convert/checkpoint/naming.h"

#include <stddef.h>
#include <string.h>

#include "convert/formats/names.h"

const naming naming_hugging_face = {
	.body = "model.",
	.outside = { [TENSOR_EMBEDDING] = "model.embed_tokens.weight",
	             [TENSOR_FINAL_NORM] = "model.norm.weight",
	             [TENSOR_OUTPUT] = "lm_head.weight" },
	.layer = "model.layers.",
	.inside = { [TENSOR_ATTENTION_NORM] = "input_layernorm.weight",
	            [TENSOR_WQ] = "self_attn.q_proj.weight",
	            [TENSOR_WK] = "self_attn.k_proj.weight",
	            [TENSOR_WV] = "self_attn.v_proj.weight",
	            [TENSOR_WO] = "self_attn.o_proj.weight",
	            [TENSOR_FFN_NORM] = "post_attention_layernorm.weight",
	            [TENSOR_W1] = "mlp.gate_proj.weight",
	            [TENSOR_W3] = "mlp.up_proj.weight",
	            [TENSOR_W2] = "mlp.down_proj.weight" },
};

const naming naming_mistral = {
	.body = "",
	.outside = { [TENSOR_EMBEDDING] = "tok_embeddings.weight",
	             [TENSOR_FINAL_NORM] = "norm.weight",
	             [TENSOR_OUTPUT] = "output.weight" },
	.layer = "layers.",
	.inside = { [TENSOR_ATTENTION_NORM] = "attention_norm.weight",
	            [TENSOR_WQ] = "attention.wq.weight",
	            [TENSOR_WK] = "attention.wk.weight",
	            [TENSOR_WV] = "attention.wv.weight",
	            [TENSOR_WO] = "attention.wo.weight",
	            [TENSOR_FFN_NORM] = "ffn_norm.weight",
	            [TENSOR_W1] = "feed_forward.w1.weight",
	            [TENSOR_W3] = "feed_forward.w3.weight",
	            [TENSOR_W2] = "feed_forward.w2.weight" },
};

const naming naming_gguf = {
	.body = "",
	.outside = { [TENSOR_EMBEDDING] = "token_embd.weight",
	             [TENSOR_FINAL_NORM] = "output_norm.weight",
	             [TENSOR_OUTPUT] = "output.weight" },
	.layer = "blk.",
	.inside = { [TENSOR_ATTENTION_NORM] = "attn_norm.weight",
	            [TENSOR_WQ] = "attn_q.weight",
	            [TENSOR_WK] = "attn_k.weight",
	            [TENSOR_WV] = "attn_v.weight",
	            [TENSOR_WO] = "attn_output.weight",
	            [TENSOR_FFN_NORM] = "ffn_norm.weight",
	            [TENSOR_W1] = "ffn_gate.weight",
	            [TENSOR_W3] = "ffn_up.weight",
	            [TENSOR_W2] = "ffn_down.weight" },
};

uint32_t naming_find_kind(const naming *names, const char *name, uint32_t n_layers, uint32_t *layer)
{
	size_t prefix = strlen(names->layer), digits = 0;
	uint32_t kind;

	*layer = 0;
	for (kind = 1; kind < TENSOR_KINDS; kind++)
		if (names->outside[kind] && !strcmp(name, names->outside[kind]))
			return kind;
	if (strncmp(name, names->layer, prefix) != 0)
		return 0;
	for (name += prefix; *name >= '0' && *name <= '9' && digits < 5; name++, digits++)
		*layer = *layer * 10 + (uint32_t)(*name - '0');
	if (digits == 0 || (digits > 1 && name[-(ptrdiff_t)digits] == '0') || *name++ != '.' ||
	    *layer >= n_layers)
		return 0;
	for (kind = 1; kind < TENSOR_KINDS; kind++)
		if (names->inside[kind] && !strcmp(name, names->inside[kind]))
			return kind;
	return 0;
}

bool naming_is_buffer(const char *name)
{
	static const char *const ends[] = { "rotary_emb.inv_freq",
		                            "rotary_emb.original_inv_freq",
		                            "rotary_emb.cos_cached",
		                            "rotary_emb.sin_cached",
		                            "rope.freqs",
		                            ".masked_bias",
		                            "attn.bias",
		                            "position_ids",
		                            "attn.k_scale",
		                            "attn.v_scale",
		                            "k_proj.k_scale",
		                            "v_proj.v_scale" };
	size_t i;

	for (i = 0; i < sizeof ends / sizeof *ends; i++)
		if (names_end_with(name, ends[i]))
			return true;
	return false;
}
