//! What each operator asks of its operands. `check` runs once, when a program is opened; the kernels rely on it.

const std = @import("std");
const format = @import("format.zig");
const programs = @import("program.zig");
const attention_i8 = @import("attention_i8.zig");
const graph_operators = @import("graph_operators.zig");
const Program = programs.Program;
const Error = programs.Error;

pub fn check(program: Program) Error!void {
    for (program.operators) |*operator| {
        const code: format.Code = @enumFromInt(operator.code);
        const o = Operands{ .program = program, .operator = operator };
        switch (code) {
            .rows => try checkRows(o),
            .quantise => try checkQuantise(o),
            .matmul => try checkMatmul(o),
            .rms_norm => try checkNorm(o, &.{1}),
            .layer_norm => try checkNorm(o, &.{ 1, 2 }),
            .rotary => try checkRotary(o),
            .attention => try checkAttention(o),
            .add, .multiply, .silu_multiply => try checkBinary(o),
            .sigmoid, .silu, .gelu_erf, .gelu_tanh, .tanh => try checkUnary(o),
            .last_row => try checkLastRow(o),
            else => {
                if (!program.isGraph()) return error.BadProgram;
                try graph_operators.check(o, code);
            },
        }
        switch (code) {
            .rows, .rotary, .attention, .last_row => if (program.isGraph()) return error.BadProgram,
            else => {},
        }
    }
}

pub fn attributes(comptime T: type, operator: *const format.Operator) *const T {
    return @ptrCast(&operator.attributes);
}

/// The rows of a call: one for each token.
const one_per_token = format.Dimension{ .constant = 0, .sequence = 1, .past = 0, .third = 0 };
const one_row = format.Dimension{ .constant = 1, .sequence = 0, .past = 0, .third = 0 };

pub const Operands = struct {
    program: Program,
    operator: *const format.Operator,

    pub fn has(o: Operands, index: usize) bool {
        return o.program.inputs(o.operator)[index] != format.no_operand;
    }

    pub fn input(o: Operands, index: usize) Error!*const format.Tensor {
        if (!o.has(index)) return error.BadProgram;
        return &o.program.tensors[o.program.inputs(o.operator)[index]];
    }

    pub fn output(o: Operands) *const format.Tensor {
        return &o.program.tensors[o.program.outputs(o.operator)[0]];
    }

    fn rows(o: Operands, tensor: *const format.Tensor) format.Dimension {
        return o.program.rowsOf(tensor);
    }

    /// A width that is the same in every call.
    pub fn columns(o: Operands, tensor: *const format.Tensor) Error!u32 {
        const width = o.program.columnsOf(tensor);
        return if (programs.isConstant(width)) width.constant else error.BadProgram;
    }

    /// The same length in every call.
    pub fn sameLength(o: Operands, a: *const format.Tensor, a_axis: usize, b: *const format.Tensor, b_axis: usize) bool {
        return std.meta.eql(o.program.dimension(a, a_axis), o.program.dimension(b, b_axis));
    }

    /// All axes but the last are the same.
    pub fn sameRows(o: Operands, a: *const format.Tensor, b: *const format.Tensor) Error!void {
        if (a.rank != b.rank) return error.BadProgram;
        for (0..a.rank - 1) |axis| if (!o.sameLength(a, axis, b, axis)) return error.BadProgram;
    }

    pub fn sameShape(o: Operands, a: *const format.Tensor, b: *const format.Tensor) Error!void {
        try o.sameRows(a, b);
        if (!o.sameLength(a, a.rank - 1, b, b.rank - 1)) return error.BadProgram;
    }

    /// f32 rows of whole vectors: what all operators on matrices take.
    pub fn vectors(o: Operands, tensor: *const format.Tensor) Error!void {
        try expect(tensor.element, .f32);
        if (try o.columns(tensor) % 4 != 0) return error.Unsupported;
    }

    /// f32 rows that are worked on number by number. In a decoder a row may be part of a wider one; in a graph it has
    /// its padding to itself.
    fn elements(o: Operands, tensor: *const format.Tensor) Error!void {
        if (o.program.isGraph()) try expect(tensor.element, .f32) else try o.vectors(tensor);
    }

    /// One row of f32 among the weights.
    fn vectorWeight(o: Operands, tensor: *const format.Tensor, size: u32) Error!void {
        try expect(tensor.element, .f32);
        if (tensor.storage != @intFromEnum(format.Storage.weights)) return error.BadProgram;
        if (tensor.rank != 2) return error.BadProgram;
        if (!std.meta.eql(o.rows(tensor), one_row) or try o.columns(tensor) != size) return error.BadProgram;
    }
};

pub fn expect(value: u8, want: format.Element) Error!void {
    if (value != @intFromEnum(want)) return error.BadProgram;
}

pub fn inWeights(tensor: *const format.Tensor) Error!void {
    if (tensor.storage != @intFromEnum(format.Storage.weights)) return error.BadProgram;
}

/// table [count, columns] -> [sequence, columns]
fn checkRows(o: Operands) Error!void {
    const table = try o.input(0);
    const y = o.output();
    try inWeights(table);
    switch (@as(format.Element, @enumFromInt(table.element))) {
        .i4_block_packed, .i4_block_bytes => return error.Unsupported,
        else => {},
    }
    try o.vectors(y);
    if (!std.meta.eql(o.rows(y), one_per_token) or try o.columns(y) != try o.columns(table)) return error.BadProgram;
    const source = attributes(format.RowsAttributes, o.operator).source;
    const header = o.program.header;
    const needed = switch (std.meta.intToEnum(format.RowSource, source) catch return error.BadProgram) {
        .tokens => header.vocabulary_size,
        .positions => header.context_length_max,
    };
    if (o.rows(table).constant < needed) return error.BadProgram;
}

/// x [rows, columns] f32 -> the same, quantised
fn checkQuantise(o: Operands) Error!void {
    const x = try o.input(0);
    try o.vectors(x);
    try expect(o.output().element, .i16_block);
    try o.sameShape(x, o.output());
}

/// x [rows, inputs], weights [outputs, inputs], bias [1, outputs] or none -> [rows, outputs]
fn checkMatmul(o: Operands) Error!void {
    const x = try o.input(0);
    const weights = try o.input(1);
    const y = o.output();
    try inWeights(weights);
    switch (@as(format.Element, @enumFromInt(weights.element))) {
        .f32_packed => try o.vectors(x),
        .i8_block_packed, .i4_block_packed, .i4_block_bytes, .i8_screened => try expect(x.element, .i16_block),
        else => return error.BadProgram,
    }
    try expect(y.element, .f32);
    try o.sameRows(x, y);
    if (try o.columns(x) != try o.columns(weights)) return error.BadProgram;
    if (try o.columns(y) != o.rows(weights).constant) return error.BadProgram;
    if (o.has(2)) try o.vectorWeight(try o.input(2), try o.columns(y));
}

/// x [rows, columns], vectors [1, columns] -> [rows, columns]
fn checkNorm(o: Operands, vectors: []const usize) Error!void {
    try checkSame(o);
    for (vectors) |index| try o.vectorWeight(try o.input(index), try o.columns(o.output()));
}

/// x [sequence, heads * head_size], cosines and sines [context, turned / 2] -> [sequence, heads * head_size]
fn checkRotary(o: Operands) Error!void {
    try checkSame(o);
    const a = attributes(format.RotaryAttributes, o.operator);
    const y = o.output();
    if (!std.meta.eql(o.rows(y), one_per_token)) return error.BadProgram;
    try headsFit(a.heads, a.head_size, try o.columns(y));
    for (1..3) |index| {
        const table = try o.input(index);
        try inWeights(table);
        try o.vectors(table);
        if (o.rows(table).constant < o.program.header.context_length_max) return error.BadProgram;
        if (@as(u64, try o.columns(table)) * 2 > a.head_size) return error.BadProgram;
    }
    if (try o.columns(try o.input(1)) != try o.columns(try o.input(2))) return error.BadProgram;
}

pub fn headsFit(heads: u32, head_size: u32, columns: u32) Error!void {
    if (heads == 0 or head_size == 0 or @as(u64, heads) * head_size != columns) return error.BadProgram;
    if (head_size % 4 != 0) return error.Unsupported;
}

/// q [sequence, heads * head_size], k and v [sequence, key_heads * head_size], keys and values in the state
/// -> [sequence, heads * head_size]
fn checkAttention(o: Operands) Error!void {
    const a = attributes(format.AttentionAttributes, o.operator);
    const q = try o.input(0);
    const k = try o.input(1);
    const y = o.output();
    try o.vectors(q);
    try o.vectors(y);
    try o.sameShape(q, y);
    if (!std.meta.eql(o.rows(q), one_per_token)) return error.BadProgram;
    try headsFit(a.heads, a.head_size, try o.columns(q));
    try headsFit(a.key_heads, a.head_size, try o.columns(k));
    if (a.heads % a.key_heads != 0) return error.BadProgram;
    try o.vectors(k);
    try o.sameRows(q, k);
    const v = try o.input(2);
    try o.vectors(v);
    try o.sameShape(k, v);
    for (3..5) |index| {
        const kept = try o.input(index);
        if (kept.storage != @intFromEnum(format.Storage.state)) return error.BadProgram;
        if (try o.columns(kept) != try o.columns(k)) return error.BadProgram;
        if (kept.element != (try o.input(3)).element) return error.BadProgram;
        if (kept.element == @intFromEnum(format.Element.i8_kept)) try checkKept(o, kept, a);
    }
}

fn checkKept(o: Operands, kept: *const format.Tensor, a: *const format.AttentionAttributes) Error!void {
    if (a.head_size % format.kept_head_size_step != 0 or a.head_size > format.kept_head_size_max) {
        return error.Unsupported;
    }
    const size = attention_i8.rowSizeBytes(a.key_heads, a.head_size);
    if (kept.offset + size > o.program.header.state_row_size_bytes) return error.BadProgram;
}

/// a [rows, columns], b the same or one row -> [rows, columns]
fn checkBinary(o: Operands) Error!void {
    try checkUnary(o);
    const b = try o.input(1);
    try o.elements(b);
    if (b.rank == 2 and std.meta.eql(o.rows(b), one_row)) {
        if (!o.sameLength(b, 1, o.output(), o.output().rank - 1)) return error.BadProgram;
    } else try o.sameShape(b, o.output());
}

/// x [rows, columns] -> [rows, columns], number by number
fn checkUnary(o: Operands) Error!void {
    const x = try o.input(0);
    try o.elements(x);
    try o.elements(o.output());
    try o.sameShape(x, o.output());
}

/// x [rows, columns] -> [rows, columns]
fn checkSame(o: Operands) Error!void {
    const x = try o.input(0);
    try o.vectors(x);
    try o.vectors(o.output());
    try o.sameShape(x, o.output());
}

/// x [rows, columns] -> [1, columns]
fn checkLastRow(o: Operands) Error!void {
    const x = try o.input(0);
    try o.vectors(x);
    try o.vectors(o.output());
    if (!std.meta.eql(o.rows(o.output()), one_row) or try o.columns(x) != try o.columns(o.output())) return error.BadProgram;
}
