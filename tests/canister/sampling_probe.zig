//! The canister's sampling as a Wasm module of its own, for comparison with the one in Python.

const std = @import("std");
const sampling = @import("sampling");

const vocabulary_most = 1 << 18;
const context_most = 1 << 12;

export var logits: [vocabulary_most]f32 = undefined;
export var context: [context_most]u32 = undefined;
var scratch_bytes: [sampling.Scratch.sizeBytes(vocabulary_most)]u8 align(8) = undefined;

export fn sample(
    vocabulary_size: u32,
    context_length: u32,
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    seed: u64,
) u32 {
    const choice = sampling.Sampling{
        .temperature = temperature,
        .top_k = top_k,
        .top_p = top_p,
        .min_p = min_p,
        .repetition_penalty = repetition_penalty,
        .seed = seed,
    };
    if (choice.fault() != null) return std.math.maxInt(u32);
    const scratch = sampling.Scratch.in(&scratch_bytes, vocabulary_size);
    return sampling.sample(logits[0..vocabulary_size], context[0..context_length], choice, scratch);
}

export fn instructionsMost(temperature: f32, top_k: u32, vocabulary_size: u32, context_length: u32) u64 {
    const choice = sampling.Sampling{ .temperature = temperature, .top_k = top_k };
    return choice.instructionsMost(vocabulary_size, context_length);
}
