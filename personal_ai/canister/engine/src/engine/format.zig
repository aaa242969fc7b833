//! Written by personal_ai/compiler/zig_constants.py from format.py: change it there.

pub const magic = [8]u8{ 80, 65, 73, 80, 82, 79, 71, 0 };
pub const packed_magic = [8]u8{ 80, 65, 73, 80, 65, 67, 75, 0 };
pub const version = 1;
pub const packed_version = 1;
pub const alignment_bytes = 64;
pub const row_alignment_bytes = 16;
pub const rank_max = 8;
pub const no_operand = 4294967295;
pub const table_length_max = 1048576;
pub const block = 64;
pub const group = 4;
pub const wide_group = 16;
pub const level_max = 32767;
pub const state_chunk = 16;
pub const kept_head_size_step = 8;
pub const kept_head_size_max = 256;

pub const Section = enum(u32) {
    dimensions = 1,
    tensors = 2,
    operands = 3,
    operators = 4,
    end_tokens = 5,
    weights = 6,
};

pub const Element = enum(u8) {
    f32 = 1,
    i16_block = 2,
    f32_packed = 3,
    i8_block_packed = 4,
    i16_kept = 5,
    i4_block_packed = 6,
    i4_block_bytes = 7,
    i8_screened = 8,
};

pub const Storage = enum(u8) {
    arena = 1,
    weights = 2,
    state = 3,
};

pub const Packing = enum(u32) {
    raw = 1,
    i4_blocks = 2,
};

pub const RowSource = enum(u32) {
    tokens = 0,
    positions = 1,
};

pub const Code = enum(u16) {
    rows = 1,
    quantise = 2,
    matmul = 3,
    rms_norm = 4,
    layer_norm = 5,
    rotary = 6,
    attention = 7,
    add = 8,
    multiply = 9,
    sigmoid = 10,
    silu = 11,
    silu_multiply = 12,
    gelu_erf = 13,
    gelu_tanh = 14,
    last_row = 15,
    tanh = 16,
};

pub const Header = extern struct {
    magic: [8]u8,
    version: u32,
    section_count: u32,
    size_bytes: u32,
    vocabulary_size: u32,
    context_length_max: u32,
    sequence_max: u32,
    arena_size_bytes: u32,
    state_row_size_bytes: u32,
    logits: u32,
    body_operator_count: u32,
    reserved: [4]u32,
};

pub const SectionEntry = extern struct {
    kind: u32,
    offset: u32,
    size_bytes: u32,
    reserved: u32,
};

pub const Dimension = extern struct {
    constant: u32,
    sequence: u32,
    past: u32,
    reserved: u32,
};

pub const Tensor = extern struct {
    element: u8,
    storage: u8,
    rank: u8,
    reserved: u8,
    row_stride_bytes: u32,
    offset: u32,
    reserved_2: u32,
    dimensions: [8]u16,
};

pub const Operator = extern struct {
    code: u16,
    input_count: u8,
    output_count: u8,
    first_operand: u32,
    attributes: [8]u32,
};

pub const PackedHeader = extern struct {
    magic: [8]u8,
    version: u32,
    program_size_bytes: u32,
};

pub const Frame = extern struct {
    packing: u32,
    program_size_bytes: u32,
};

pub const RowsAttributes = extern struct {
    source: u32,
};

pub const RmsNormAttributes = extern struct {
    epsilon: f32,
};

pub const LayerNormAttributes = extern struct {
    epsilon: f32,
};

pub const RotaryAttributes = extern struct {
    heads: u32,
    head_size: u32,
};

pub const AttentionAttributes = extern struct {
    heads: u32,
    key_heads: u32,
    head_size: u32,
    window: u32,
    scale: f32,
    cap: f32,
};

pub const Signature = struct { inputs: u8, outputs: u8, attributes: u8 };

pub fn signature(code: Code) Signature {
    return switch (code) {
        .rows => .{ .inputs = 1, .outputs = 1, .attributes = 1 },
        .quantise => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .matmul => .{ .inputs = 3, .outputs = 1, .attributes = 0 },
        .rms_norm => .{ .inputs = 2, .outputs = 1, .attributes = 1 },
        .layer_norm => .{ .inputs = 3, .outputs = 1, .attributes = 1 },
        .rotary => .{ .inputs = 3, .outputs = 1, .attributes = 2 },
        .attention => .{ .inputs = 5, .outputs = 1, .attributes = 6 },
        .add => .{ .inputs = 2, .outputs = 1, .attributes = 0 },
        .multiply => .{ .inputs = 2, .outputs = 1, .attributes = 0 },
        .sigmoid => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .silu => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .silu_multiply => .{ .inputs = 2, .outputs = 1, .attributes = 0 },
        .gelu_erf => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .gelu_tanh => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .last_row => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .tanh => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
    };
}
