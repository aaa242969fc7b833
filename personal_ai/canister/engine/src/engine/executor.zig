//! Runs the operators of a checked program, one after the other.

const std = @import("std");
const format = @import("format.zig");
const simd = @import("simd.zig");
const functions = @import("functions.zig");
const elementwise = @import("elementwise.zig");
const norms = @import("norms.zig");
const rotary = @import("rotary.zig");
const attention = @import("attention.zig");
const attention_i8 = @import("attention_i8.zig");
const quantise = @import("quantise.zig");
const matmul_f32 = @import("matmul_f32.zig");
const matmul_i4 = @import("matmul_i4.zig");
const matmul_i8 = @import("matmul_i8.zig");
const matmul_screened = @import("matmul_screened.zig");
const attributes = @import("operators.zig").attributes;
const Matrix = @import("matrix.zig").Matrix;
const Program = @import("program.zig").Program;

/// Bytes that kernels need beside the activations.
pub fn scratchSizeBytes(program: Program) usize {
    const context = program.header.context_length_max;
    const attending = @max(attention.scratchSizeBytes(context), attention_i8.scratchSizeBytes(context));
    var screened: usize = 0;
    for (program.tensors) |*tensor| {
        if (tensor.element == @intFromEnum(format.Element.i8_screened)) screened = @max(screened, program.rowsOf(tensor).constant);
    }
    return @max(matmul_i8.scratch_size_bytes, matmul_screened.scratchSizeBytes(screened), attending);
}

/// Some of the rows of an operator's output, and of those inputs that have as many.
pub const Tile = struct {
    first: usize,
    count: usize,
    rows: usize,

    fn of(tile: Tile, whole: Matrix) Matrix {
        if (whole.rows != tile.rows) return whole;
        return .{
            .base = whole.row(tile.first),
            .stride_bytes = whole.stride_bytes,
            .rows = tile.count,
            .columns = whole.columns,
        };
    }
};

/// One call: the program, its memory, its tokens and where they stand.
pub const Call = struct {
    program: Program,
    arena: [*]align(format.alignment_bytes) u8,
    state: [*]align(format.alignment_bytes) u8,
    scratch: [*]align(format.alignment_bytes) u8,
    tokens: []const u32,
    past: usize,
    /// What the symbols of a graph stand for; of a decoder, the tokens of this call and those before it.
    symbols: [format.symbol_count]usize,
    /// Where only some rows of an operator are computed: which.
    tile: ?Tile = null,

    pub fn run(call: *const Call, operators: []const format.Operator) void {
        for (operators) |*operator| call.step(operator);
    }

    // The next three are asked for each operand of each step, and every answer was checked when the program was opened
    // (program.zig): safety checks would cost 1 % of a token.

    pub fn matrix(call: *const Call, index: u32) Matrix {
        @setRuntimeSafety(false);
        const tensor = &call.program.tensors[index];
        var rows: usize = 1;
        for (0..tensor.rank - 1) |axis| rows *= call.length(tensor, axis);
        const whole = Matrix{
            .base = call.address(tensor),
            .stride_bytes = tensor.row_stride_bytes,
            .rows = rows,
            .columns = call.length(tensor, tensor.rank - 1),
        };
        return if (call.tile) |tile| tile.of(whole) else whole;
    }

    pub fn length(call: *const Call, tensor: *const format.Tensor, axis: usize) usize {
        @setRuntimeSafety(false);
        const dimension = call.program.dimension(tensor, axis);
        const symbols = call.symbols;
        return dimension.constant + dimension.sequence * symbols[0] + dimension.past * symbols[1] + dimension.third * symbols[2];
    }

    pub fn address(call: *const Call, tensor: *const format.Tensor) [*]align(16) u8 {
        @setRuntimeSafety(false);
        const base: [*]u8 = switch (@as(format.Storage, @enumFromInt(tensor.storage))) {
            .arena => call.arena,
            .weights => @constCast(call.program.weights.ptr), // checked: weights are inputs only
            .state => call.state,
        };
        return @alignCast(base + tensor.offset);
    }

    pub fn step(call: *const Call, operator: *const format.Operator) void {
        const in = call.program.inputs(operator);
        const y = call.matrix(call.program.outputs(operator)[0]);
        switch (@as(format.Code, @enumFromInt(operator.code))) {
            .rows => call.lookUp(in[0], attributes(format.RowsAttributes, operator).source, y),
            .quantise => quantise.run(call.matrix(in[0]), y),
            .matmul => call.multiply(in, y),
            .rms_norm => {
                const epsilon = attributes(format.RmsNormAttributes, operator).epsilon;
                norms.rms(call.matrix(in[0]), call.matrix(in[1]), epsilon, y);
            },
            .layer_norm => {
                const epsilon = attributes(format.LayerNormAttributes, operator).epsilon;
                norms.layer(call.matrix(in[0]), call.matrix(in[1]), call.matrix(in[2]), epsilon, y);
            },
            .rotary => {
                const heads = attributes(format.RotaryAttributes, operator).heads;
                rotary.rotate(call.matrix(in[0]), call.matrix(in[1]), call.matrix(in[2]), heads, call.past, y);
            },
            .attention => call.attend(operator, in, y),
            .add => elementwise.binary(functions.add, call.matrix(in[0]), call.matrix(in[1]), y),
            .multiply => elementwise.binary(functions.multiply, call.matrix(in[0]), call.matrix(in[1]), y),
            .silu_multiply => elementwise.binary(functions.siluMultiply, call.matrix(in[0]), call.matrix(in[1]), y),
            .sigmoid => elementwise.unary(functions.sigmoid, call.matrix(in[0]), y),
            .silu => elementwise.unary(functions.silu, call.matrix(in[0]), y),
            .gelu_erf => elementwise.unary(functions.geluErf, call.matrix(in[0]), y),
            .gelu_tanh => elementwise.unary(functions.geluTanh, call.matrix(in[0]), y),
            .tanh => elementwise.unary(functions.tanh, call.matrix(in[0]), y),
            else => unreachable, // graph.zig runs those of graphs
            .last_row => {
                const x = call.matrix(in[0]);
                elementwise.copyRow(x.vectors(x.rows - 1), y.vectors(0), y.vectorCount());
            },
        }
    }

    fn lookUp(call: *const Call, index: u32, source: u32, y: Matrix) void {
        const tensor = &call.program.tensors[index];
        const table = call.matrix(index);
        const by_position = source == @intFromEnum(format.RowSource.positions);
        for (0..y.rows) |i| {
            const row = if (by_position) call.past + i else call.tokens[i];
            const target: [*]f32 = @ptrCast(y.row(i));
            switch (@as(format.Element, @enumFromInt(tensor.element))) {
                .f32 => elementwise.copyRow(table.vectors(row), y.vectors(i), y.vectorCount()),
                .f32_packed => matmul_f32.unpackRow(@ptrCast(table.base), row, y.columns, target),
                .i8_block_packed => matmul_i8.dequantiseRow(@ptrCast(table.base), row, y.columns, target),
                .i8_screened => matmul_screened.dequantiseRow(.of(table.base, table.rows, table.columns), row, y.columns, target),
                .i4_block_packed, .i4_block_bytes, .i16_block, .i8_kept, .i64 => unreachable, // checked
            }
        }
    }

    fn multiply(call: *const Call, in: []const u32, y: Matrix) void {
        const x = call.matrix(in[0]);
        const weights = call.address(&call.program.tensors[in[1]]);
        const bias: ?[*]const simd.F32x4 = if (in[2] == format.no_operand) null else call.matrix(in[2]).vectors(0);
        switch (@as(format.Element, @enumFromInt(call.program.tensors[in[1]].element))) {
            .f32_packed => matmul_f32.multiply(x, @ptrCast(weights), bias, y),
            .i8_block_packed => matmul_i8.multiply(x, @ptrCast(weights), bias, y, @ptrCast(call.scratch)),
            .i4_block_packed => matmul_i4.multiply(matmul_i4.NibbleBlock, .weights, x, @ptrCast(weights), bias, y, @ptrCast(call.scratch)),
            .i4_block_bytes => matmul_i4.multiply(matmul_i4.ByteBlock, .weights, x, @ptrCast(weights), bias, y, @ptrCast(call.scratch)),
            .i8_screened => matmul_screened.multiply(x, .of(weights, y.columns, x.columns), bias, y, call.scratch),
            else => unreachable, // checked
        }
    }

    fn attend(call: *const Call, operator: *const format.Operator, in: []const u32, y: Matrix) void {
        const a = attributes(format.AttentionAttributes, operator);
        const shape = attention.Shape{
            .heads = a.heads,
            .key_heads = a.key_heads,
            .head_size = a.head_size,
            .window = a.window,
            .scale = a.scale,
            .cap = a.cap,
        };
        const q = call.matrix(in[0]);
        const k = call.matrix(in[1]);
        const v = call.matrix(in[2]);
        if (call.program.tensors[in[3]].element == @intFromEnum(format.Element.f32)) {
            const scores: [*]simd.F32x4 = @ptrCast(call.scratch);
            attention.attend(q, k, v, call.matrix(in[3]), call.matrix(in[4]), shape, call.past, y, scores);
        } else {
            const context = call.program.header.context_length_max;
            attention_i8.attend(q, k, v, call.kept(in[3]), call.kept(in[4]), shape, call.past, y, call.scratch, context);
        }
    }

    /// Keys or values in groups: a group has the room of its positions' rows.
    fn kept(call: *const Call, index: u32) attention_i8.Kept {
        const tensor = &call.program.tensors[index];
        return .{
            .base = @alignCast(call.state + format.group * @as(usize, tensor.offset)),
            .group_stride_bytes = format.group * @as(usize, tensor.row_stride_bytes),
        };
    }
};
