//! The types of resources/canister.did, field for field.

const candid = @import("candid.zig");
const Vec = @import("candid_decode.zig").Vec;

const Text = candid.Text;
const Blob = candid.Blob;

pub const version = 1;

/// Replies are `variant { ok : T; err : E }`.
pub fn Result(comptime T: type, comptime E: type) type {
    return union(enum) { ok: T, err: E };
}

pub const File = struct { name: Text, size_bytes: u64 };

pub const UploadManifest = struct { name: Text, files: Vec(File), chunk_hashes: Blob };

pub const UploadState = struct { hash: Blob, chunks_total: u32, chunks_received: u32 };

pub const UploadError = union(enum) {
    invalid: Text,
    limit: Text,
    no_upload,
    wrong_index: struct { index: u32, chunks_total: u32 },
    wrong_size: struct { index: u32, expected_bytes: u32, received_bytes: u32 },
    wrong_hash: struct { index: u32 },
};

pub const ModelError = union(enum) {
    invalid: Text,
    unknown_hash,
    missing_chunks: struct { count: u32 },
    no_room: struct { needed_bytes: u64, free_bytes: u64 },
    no_model,
    unknown_file,
};

pub const Activation = struct { hash: Blob, unload_first: bool };
pub const ActivationState = struct { done: bool, bytes_loaded: u64, bytes_total: u64 };

pub const Sampling = struct {
    temperature: f32,
    top_k: u32,
    top_p: f32,
    min_p: f32,
    repetition_penalty: f32,
    seed: u64,
};

pub const GenerateRequest = struct {
    conversation: Blob,
    keep: u32,
    keep_hash: Blob,
    append: candid.Nat32s,
    max_tokens: u32,
    max_instructions: u64,
    sampling: Sampling,
    stop: Vec(candid.Nat32s),
};
pub const Finish = union(enum) { end, stop, max_tokens, budget };
pub const Generated = struct { tokens: []const u32, length: u32, finish: Finish, instructions: u64 };
pub const GenerateError = union(enum) {
    need_prefix: struct { have: u32 },
    busy,
    no_model,
    refused,
    invalid: Text,
    limit: Text,
};

/// Numbers in the order of the axes, the last the fastest; little-endian.
pub const TensorData = union(enum) { float32: Blob, int64: Blob };
pub const InputTensor = struct { name: Text, shape: candid.Nat32s, data: TensorData };
pub const OutputTensor = struct { name: Text, shape: []const u32, data: TensorData };
pub const RunRequest = struct { inputs: Vec(InputTensor), max_instructions: u64 };
pub const Outputs = struct { outputs: []const OutputTensor, instructions: u64 };
pub const RunProgress = struct { operators_done: u32, operators_total: u32, instructions: u64 };
pub const RunError = union(enum) { busy, no_model, invalid: Text, limit: Text };
pub const RunResult = union(enum) { ok: Outputs, more: RunProgress, err: RunError };

pub const LoadState = union(enum) {
    unloaded,
    loading: ActivationState,
    failed: ModelError,
    loaded: struct {
        vocabulary_size: u32,
        context_length: u32,
        sequence_length: u32,
        program_bytes: u64,
        working_bytes: u64,
        conversation_bytes: u64,
        kept_bits: u32,
        conversations_most: u32,
    },
};
pub const Status = struct {
    interface_version: u32,
    engine_version: Text,
    model: ?struct { hash: Blob, name: Text, files: []const File, state: LoadState },
    staging: ?struct { upload: UploadState, name: Text, state: LoadState },
    heap_bytes: u64,
    stable_bytes: u64,
    cycles: candid.Nat,
    counters: Counters,
    conversations: []const Conversation,
};
pub const Counters = extern struct {
    requests: u64 = 0,
    tokens_generated: u64 = 0,
    tokens_computed: u64 = 0,
    instructions: u64 = 0,
};
pub const Conversation = struct { id: Blob, length: u32, computed: u32 };
