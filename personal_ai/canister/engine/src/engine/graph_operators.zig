//! What the operators of graphs ask of their operands, for every value of the symbols; see operators.zig.

const std = @import("std");
const format = @import("format.zig");
const operators = @import("operators.zig");
const programs = @import("program.zig");
const Operands = operators.Operands;
const Error = programs.Error;
const attributes = operators.attributes;

pub fn check(o: Operands, code: format.Code) Error!void {
    switch (code) {
        .gather => try checkGather(o),
        .to_float => try checkToFloat(o),
        .transpose => try checkTranspose(o),
        .slice => {
            const a = attributes(format.SliceAttributes, o.operator).*;
            try checkPart(o, try o.input(0), o.output(), a.axis, .of(a));
        },
        .place => {
            const a = attributes(format.PlaceAttributes, o.operator).*;
            try checkPart(o, o.output(), try o.input(0), a.axis, .of(a));
        },
        .reshape => try sameElement(try o.input(0), o.output()),
        .unary => {
            const function = attributes(format.UnaryAttributes, o.operator).function;
            _ = std.meta.intToEnum(format.UnaryFunction, function) catch return error.Unsupported;
            try floats(o, &.{0});
            try o.sameShape(try o.input(0), o.output());
        },
        .binary => {
            const function = attributes(format.BinaryAttributes, o.operator).function;
            _ = std.meta.intToEnum(format.BinaryFunction, function) catch return error.Unsupported;
            try floats(o, &.{ 0, 1 });
            for (0..2) |index| try checkSpread(o, try o.input(index));
        },
        .where => {
            try floats(o, &.{ 0, 1, 2 });
            for (0..3) |index| try checkSpread(o, try o.input(index));
        },
        .reduce => try checkReduce(o),
        .softmax => {
            try floats(o, &.{0});
            try o.sameShape(try o.input(0), o.output());
        },
        .batch_matmul => try checkBatchMatmul(o),
        .attend => try checkAttend(o),
        else => unreachable, // operators.zig checks the others
    }
}

/// Where a part of an axis begins: as a length, but the constant may be below zero where symbols make up for it.
pub const Start = struct {
    constant: i32,
    factors: [format.symbol_count]u32,

    pub fn of(given: anytype) Start {
        return .{
            .constant = @bitCast(given.start_constant),
            .factors = .{ given.start_sequence, given.start_past, given.start_third },
        };
    }

    /// Checked: it lies within the axis.
    pub fn at(start: Start, symbols: [format.symbol_count]usize) usize {
        var place: i64 = start.constant;
        for (start.factors, symbols) |factor, symbol| place += @intCast(@as(u64, factor) * symbol);
        return @intCast(place);
    }
};

/// The inputs of these numbers and the output hold f32.
fn floats(o: Operands, indices: []const usize) Error!void {
    for (indices) |index| try operators.expect((try o.input(index)).element, .f32);
    try operators.expect(o.output().element, .f32);
}

fn sameElement(x: *const format.Tensor, y: *const format.Tensor) Error!void {
    if (x.element != y.element) return error.BadProgram;
    if (x.element == @intFromEnum(format.Element.f32) or x.element == @intFromEnum(format.Element.i64)) return;
    return error.BadProgram;
}

/// table [n, columns], indices i64 [...] -> [..., columns]
fn checkGather(o: Operands) Error!void {
    const table = try o.input(0);
    const indices = try o.input(1);
    const y = o.output();
    switch (@as(format.Element, @enumFromInt(table.element))) {
        .f32 => {},
        .f32_packed, .i8_block_packed => if (try o.columns(y) % 4 != 0) return error.Unsupported,
        else => return error.Unsupported,
    }
    try operators.expect(indices.element, .i64);
    try operators.expect(y.element, .f32);
    if (table.rank != 2 or y.rank != indices.rank + 1) return error.BadProgram;
    for (0..indices.rank) |axis| if (!o.sameLength(indices, axis, y, axis)) return error.BadProgram;
    if (!o.sameLength(table, 1, y, y.rank - 1)) return error.BadProgram;
}

/// x i64 -> the same numbers as f32
fn checkToFloat(o: Operands) Error!void {
    try operators.expect((try o.input(0)).element, .i64);
    try operators.expect(o.output().element, .f32);
    try o.sameShape(try o.input(0), o.output());
}

/// Axis i of y is axis (order >> 4i) % 16 of x.
fn checkTranspose(o: Operands) Error!void {
    const x = try o.input(0);
    const y = o.output();
    try sameElement(x, y);
    if (x.rank != y.rank) return error.BadProgram;
    const order = attributes(format.TransposeAttributes, o.operator).order;
    var seen: u32 = 0;
    for (0..x.rank) |axis| {
        const from = axisAt(order, axis);
        if (from >= x.rank or !o.sameLength(x, from, y, axis)) return error.BadProgram;
        seen |= @as(u32, 1) << @intCast(from);
    }
    if (@popCount(seen) != x.rank) return error.BadProgram;
}

pub fn axisAt(order: u32, index: usize) usize {
    return order >> @intCast(4 * index) & 0xf;
}

/// `part` is what lies in `whole` from `start` on, along one axis.
fn checkPart(
    o: Operands,
    whole: *const format.Tensor,
    part: *const format.Tensor,
    axis: u32,
    start: Start,
) Error!void {
    try sameElement(whole, part);
    if (whole.rank != part.rank or axis >= whole.rank) return error.BadProgram;
    for (0..whole.rank) |other| {
        if (other != axis and !o.sameLength(whole, other, part, other)) return error.BadProgram;
    }
    if (!neverBeyond(o.program, start, o.program.dimension(part, axis), o.program.dimension(whole, axis))) {
        return error.BadProgram;
    }
}

/// Whether 0 <= start and start + length <= whole for all values of the symbols, from 1 to their maxima (0 where a
/// symbol has none): the difference is linear, so its least value lies where each symbol is at one of its ends.
fn neverBeyond(program: programs.Program, start: Start, length: format.Dimension, whole: format.Dimension) bool {
    var first: i64 = start.constant;
    for (start.factors, program.symbolMaxima()) |factor, most| first += @as(i64, factor) * @min(most, 1);
    if (first < 0) return false;
    var least = @as(i64, whole.constant) - length.constant - start.constant;
    const factors = [_]i64{
        difference(whole.sequence, length.sequence, start.factors[0]),
        difference(whole.past, length.past, start.factors[1]),
        difference(whole.third, length.third, start.factors[2]),
    };
    for (factors, program.symbolMaxima()) |factor, most| least += factor * if (factor > 0) @min(most, 1) else most;
    return least >= 0; // |factor| < 2^34, most <= 2^20: no overflow
}

fn difference(whole: u32, length: u32, start: u32) i64 {
    return @as(i64, whole) - length - start;
}

/// Each axis, counted from the last, is the output's or 1.
fn checkSpread(o: Operands, x: *const format.Tensor) Error!void {
    const y = o.output();
    if (x.rank > y.rank) return error.BadProgram;
    for (0..x.rank) |axis| {
        if (o.sameLength(x, axis, y, axis + y.rank - x.rank)) continue;
        if (!isOne(o.program.dimension(x, axis))) return error.BadProgram;
    }
}

fn isOne(length: format.Dimension) bool {
    return length.constant == 1 and programs.isConstant(length);
}

/// x -> the same with the axes of the mask `axes` made 1
fn checkReduce(o: Operands) Error!void {
    const a = attributes(format.ReduceAttributes, o.operator);
    _ = std.meta.intToEnum(format.Reduction, a.function) catch return error.Unsupported;
    try floats(o, &.{0});
    const x = try o.input(0);
    const y = o.output();
    if (x.rank != y.rank or a.axes >> @intCast(x.rank) != 0) return error.BadProgram;
    for (0..x.rank) |axis| {
        const gone = a.axes >> @intCast(axis) & 1 != 0;
        const right = if (gone) isOne(o.program.dimension(y, axis)) else o.sameLength(x, axis, y, axis);
        if (!right) return error.BadProgram;
    }
}

/// a [..., m, k], b [..., k, n] -> [..., m, n]; leading axes are the output's or 1
fn checkBatchMatmul(o: Operands) Error!void {
    try floats(o, &.{ 0, 1 });
    const a = try o.input(0);
    const b = try o.input(1);
    const y = o.output();
    if (a.rank != y.rank or b.rank != y.rank or y.rank < 2) return error.BadProgram;
    const row_axis = y.rank - 2;
    const column_axis = y.rank - 1;
    if (!o.sameLength(a, row_axis, y, row_axis) or !o.sameLength(b, column_axis, y, column_axis)) return error.BadProgram;
    if (!o.sameLength(a, column_axis, b, row_axis)) return error.BadProgram;
    for (0..row_axis) |axis| {
        for ([_]*const format.Tensor{ a, b }) |x| {
            if (!o.sameLength(x, axis, y, axis) and !isOne(o.program.dimension(x, axis))) return error.BadProgram;
        }
    }
}

/// q [batch, rows, heads * head_size], k and v [batch, others, key_heads * head_size] -> as q
fn checkAttend(o: Operands) Error!void {
    const a = attributes(format.AttendAttributes, o.operator);
    const q = try o.input(0);
    const k = try o.input(1);
    const v = try o.input(2);
    for ([_]*const format.Tensor{ q, k, v, o.output() }) |tensor| {
        try o.vectors(tensor);
        if (tensor.rank != 3) return error.BadProgram;
    }
    try o.sameShape(q, o.output());
    try o.sameShape(k, v);
    if (!o.sameLength(q, 0, k, 0)) return error.BadProgram;
    try operators.headsFit(a.heads, a.head_size, try o.columns(q));
    try operators.headsFit(a.key_heads, a.head_size, try o.columns(k));
    if (a.heads % a.key_heads != 0) return error.BadProgram;
    for ([_]*const format.Tensor{ k, v }) |tensor| {
        if (tensor.storage != @intFromEnum(format.Storage.arena)) return error.BadProgram;
        const rows = o.program.rowsMax(tensor) + format.rows_read_beyond;
        if (tensor.offset +| rows *| tensor.row_stride_bytes > o.program.header.arena_size_bytes) return error.BadProgram;
    }
}
