//! Written by personal_ai/compiler/zig_constants.py from format.py: change it there.

pub const magic = [8]u8{ 80, 65, 73, 80, 82, 79, 71, 0 };
pub const packed_magic = [8]u8{ 80, 65, 73, 80, 65, 67, 75, 0 };
pub const version = 3;
pub const packed_version = 1;
pub const alignment_bytes = 64;
pub const row_alignment_bytes = 16;
pub const rank_max = 8;
pub const symbol_count = 3;
pub const port_name_bytes_max = 56;
pub const no_operand = 4294967295;
pub const table_length_max = 1048576;
pub const arena_size_bytes_max = 1073741824;
pub const block = 64;
pub const group = 4;
pub const wide_group = 16;
pub const level_max = 32767;
pub const state_chunk = 16;
pub const rows_read_beyond = 3;
pub const kept_head_size_step = 8;
pub const kept_head_size_max = 256;

pub const Kind = enum(u32) {
    decoder = 1,
    graph = 2,
};

pub const Section = enum(u32) {
    dimensions = 1,
    tensors = 2,
    operands = 3,
    operators = 4,
    end_tokens = 5,
    ports = 6,
    weights = 7,
};

pub const Element = enum(u8) {
    f32 = 1,
    i16_block = 2,
    f32_packed = 3,
    i8_block_packed = 4,
    i8_kept = 5,
    i4_block_packed = 6,
    i64 = 7,
    i4_block_bytes = 8,
    i8_screened = 9,
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

pub const Direction = enum(u8) {
    input = 1,
    output = 2,
};

pub const RowSource = enum(u32) {
    tokens = 0,
    positions = 1,
};

pub const UnaryFunction = enum(u32) {
    relu = 0,
    negative = 1,
    magnitude = 2,
    square_root = 3,
    reciprocal = 4,
    exponential = 5,
    erf = 6,
};

pub const BinaryFunction = enum(u32) {
    add = 0,
    subtract = 1,
    multiply = 2,
    divide = 3,
    greater_of = 4,
    lesser_of = 5,
    equal = 6,
    less = 7,
    less_or_equal = 8,
};

pub const Reduction = enum(u32) {
    sum = 0,
    mean = 1,
    greatest = 2,
    least = 3,
    length = 4,
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
    gather = 17,
    to_float = 18,
    transpose = 19,
    slice = 20,
    place = 21,
    reshape = 22,
    unary = 23,
    binary = 24,
    where = 25,
    reduce = 26,
    softmax = 27,
    batch_matmul = 28,
    attend = 29,
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
    kind: u32,
    symbol_maxima: [3]u32,
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
    third: u32,
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

pub const Port = extern struct {
    direction: u8,
    name_length: u8,
    reserved: u16,
    tensor: u32,
    name: [56]u8,
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

pub const TransposeAttributes = extern struct {
    order: u32,
};

pub const SliceAttributes = extern struct {
    axis: u32,
    start_constant: u32,
    start_sequence: u32,
    start_past: u32,
    start_third: u32,
};

pub const PlaceAttributes = extern struct {
    axis: u32,
    start_constant: u32,
    start_sequence: u32,
    start_past: u32,
    start_third: u32,
};

pub const UnaryAttributes = extern struct {
    function: u32,
};

pub const BinaryAttributes = extern struct {
    function: u32,
};

pub const ReduceAttributes = extern struct {
    function: u32,
    axes: u32,
};

pub const AttendAttributes = extern struct {
    heads: u32,
    key_heads: u32,
    head_size: u32,
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
        .gather => .{ .inputs = 2, .outputs = 1, .attributes = 0 },
        .to_float => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .transpose => .{ .inputs = 1, .outputs = 1, .attributes = 1 },
        .slice => .{ .inputs = 1, .outputs = 1, .attributes = 5 },
        .place => .{ .inputs = 1, .outputs = 1, .attributes = 5 },
        .reshape => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .unary => .{ .inputs = 1, .outputs = 1, .attributes = 1 },
        .binary => .{ .inputs = 2, .outputs = 1, .attributes = 1 },
        .where => .{ .inputs = 3, .outputs = 1, .attributes = 0 },
        .reduce => .{ .inputs = 1, .outputs = 1, .attributes = 2 },
        .softmax => .{ .inputs = 1, .outputs = 1, .attributes = 0 },
        .batch_matmul => .{ .inputs = 2, .outputs = 1, .attributes = 0 },
        .attend => .{ .inputs = 3, .outputs = 1, .attributes = 5 },
    };
}
