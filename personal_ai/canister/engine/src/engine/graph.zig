//! Runs a graph: operator after operator, each in tiles of rows, so that a run can stop between any two tiles and go on
//! in another message. What is computed lies in the arena; a `Cursor` says how far a run is.

const std = @import("std");
const format = @import("format.zig");
const executor = @import("executor.zig");
const attention = @import("attention.zig");
const graph_operators = @import("graph_operators.zig");
const matmul_f32 = @import("matmul_f32.zig");
const matmul_i8 = @import("matmul_i8.zig");
const strided = @import("strided.zig");
const attributes = @import("operators.zig").attributes;
const Call = executor.Call;
const Program = @import("program.zig").Program;
const View = strided.View;
const Rows = strided.Rows;

pub const Error = error{
    /// A number that chooses a row of a table lies outside of it.
    BadIndex,
    /// Two shapes that do not hold equally many numbers, with these lengths.
    BadReshape,
};

/// Operators before `operator` are done, and of it the rows before `row`.
pub const Cursor = struct { operator: u32 = 0, row: usize = 0 };

/// Rows of an operator that are still to be computed, and an upper bound of what one of them costs in instructions.
pub const Work = struct {
    rows: usize,
    row_instructions: u64,

    pub fn instructions(work: Work, rows: usize) u64 {
        return tile_instructions + work.row_instructions *| rows;
    }
};

/// What a tile costs beside its rows, or more.
pub const tile_instructions = 12_000;

/// Bytes of scratch that the attentions of a graph want.
pub fn scratchSizeBytes(program: Program) usize {
    var rows_most: u64 = 0;
    for (program.operators) |*operator| {
        if (operator.code != @intFromEnum(format.Code.attend)) continue;
        rows_most = @max(rows_most, program.rowsMax(&program.tensors[program.inputs(operator)[1]]));
    }
    return attention.scratchSizeBytes(@intCast(rows_most)); // an arena holds these rows, so 32 bits do
}

/// Finds what can only be told when the symbols are known. To be called before the first step.
pub fn checkLengths(call: *const Call) Error!void {
    for (call.program.operators) |*operator| {
        if (operator.code != @intFromEnum(format.Code.reshape)) continue;
        const x = viewOf(call, call.program.inputs(operator)[0]);
        const y = viewOf(call, call.program.outputs(operator)[0]);
        if (x.rowCount() * x.columns() != y.rowCount() * y.columns()) return error.BadReshape;
    }
}

/// What is left of the operator at the cursor; null when the graph is done.
pub fn workAt(call: *const Call, cursor: Cursor) ?Work {
    if (cursor.operator == call.program.operators.len) return null;
    const operator = &call.program.operators[cursor.operator];
    const rows = viewOf(call, drivingTensor(call, operator)).rowCount();
    return .{ .rows = rows - cursor.row, .row_instructions = rowInstructions(call, operator) };
}

/// Computes the next `count` rows and moves the cursor behind them.
pub fn step(call: *const Call, cursor: *Cursor, count: usize) Error!void {
    const operator = &call.program.operators[cursor.operator];
    const all = viewOf(call, drivingTensor(call, operator)).rowCount();
    try run(call, operator, .{ .first = cursor.row, .count = count }, all);
    cursor.row += count;
    if (cursor.row == all) cursor.* = .{ .operator = cursor.operator + 1 };
}

/// The tensor whose rows are the operator's work: its output, but of PLACE what is put into it.
fn drivingTensor(call: *const Call, operator: *const format.Operator) u32 {
    if (operator.code == @intFromEnum(format.Code.place)) return call.program.inputs(operator)[0];
    return call.program.outputs(operator)[0];
}

fn run(call: *const Call, operator: *const format.Operator, rows: Rows, all: usize) Error!void {
    const code: format.Code = @enumFromInt(operator.code);
    if (@intFromEnum(code) < @intFromEnum(format.Code.gather)) {
        var part = call.*;
        part.tile = .{ .first = rows.first, .count = rows.count, .rows = all };
        return part.step(operator);
    }
    const in = call.program.inputs(operator);
    const y = viewOf(call, call.program.outputs(operator)[0]);
    if (code == .gather) return gather(call, in, &y, rows);
    const x = viewOf(call, in[0]);
    const wide = call.program.tensors[in[0]].element == @intFromEnum(format.Element.i64);
    switch (code) {
        .to_float => strided.toFloat(&x, &y, rows),
        .transpose => {
            const order = attributes(format.TransposeAttributes, operator).order;
            copy(wide, &transposed(&x, order), &y, rows);
        },
        .slice => {
            const a = attributes(format.SliceAttributes, operator).*;
            copy(wide, &x.from(a.axis, graph_operators.Start.of(a).at(call.symbols)), &y, rows);
        },
        .place => {
            const a = attributes(format.PlaceAttributes, operator).*;
            const part = y.from(a.axis, graph_operators.Start.of(a).at(call.symbols));
            if (wide) strided.place(i64, &x, &part, rows) else strided.place(f32, &x, &part, rows);
        },
        .reshape => if (wide) strided.reshape(i64, &x, &y, rows) else strided.reshape(f32, &x, &y, rows),
        .unary => strided.unary(@enumFromInt(attributes(format.UnaryAttributes, operator).function), &x, &y, rows),
        .binary => {
            const function = attributes(format.BinaryAttributes, operator).function;
            strided.binary(@enumFromInt(function), &x, &viewOf(call, in[1]), &y, rows);
        },
        .where => strided.where(&x, &viewOf(call, in[1]), &viewOf(call, in[2]), &y, rows),
        .reduce => {
            const a = attributes(format.ReduceAttributes, operator);
            strided.reduce(@enumFromInt(a.function), a.axes, &x, &y, rows);
        },
        .softmax => strided.softmax(&x, &y, rows),
        .batch_matmul => strided.batchMatmul(&x, &viewOf(call, in[1]), &y, rows),
        .attend => attend(call, operator, in, &y, rows),
        else => unreachable, // checked
    }
}

fn copy(wide: bool, x: *const View, y: *const View, rows: Rows) void {
    if (wide) strided.copy(i64, x, y, rows) else strided.copy(f32, x, y, rows);
}

fn transposed(x: *const View, order: u32) View {
    var turned = x.*;
    for (0..x.rank) |axis| {
        const from = graph_operators.axisAt(order, axis);
        turned.lengths[axis] = x.lengths[from];
        turned.strides[axis] = x.strides[from];
    }
    return turned;
}

/// The tensor with the lengths that it has in this call.
pub fn viewOf(call: *const Call, index: u32) View {
    const tensor = &call.program.tensors[index];
    const wide = tensor.element == @intFromEnum(format.Element.i64);
    var view = View{ .base = call.address(tensor), .rank = tensor.rank, .lengths = undefined, .strides = undefined };
    var stride: usize = if (wide) @sizeOf(i64) else @sizeOf(f32);
    var axis = view.rank;
    while (axis > 0) {
        axis -= 1;
        view.lengths[axis] = call.length(tensor, axis);
        view.strides[axis] = stride;
        stride = if (axis + 1 == view.rank) tensor.row_stride_bytes else stride *% view.lengths[axis]; // the last is not used
    }
    return view;
}

/// Rows of a table; an index below zero counts from the table's end.
fn gather(call: *const Call, in: []const u32, y: *const View, rows: Rows) Error!void {
    const tensor = &call.program.tensors[in[0]];
    const height: i64 = @intCast(call.length(tensor, 0));
    const indices = viewOf(call, in[1]);
    const table = call.address(tensor);
    for (rows.first..rows.first + rows.count) |i| {
        const list: [*]const i64 = @ptrCast(@alignCast(indices.row(i / indices.columns())));
        const given = list[i % indices.columns()];
        if (given < -height or given >= height) return error.BadIndex;
        const row: usize = @intCast(if (given < 0) given + height else given);
        const target: [*]align(16) f32 = @ptrCast(@alignCast(y.row(i)));
        switch (@as(format.Element, @enumFromInt(tensor.element))) {
            .f32 => {
                const from: [*]const f32 = @ptrCast(@alignCast(table + row * tensor.row_stride_bytes));
                std.mem.copyForwards(f32, target[0..y.columns()], from[0..y.columns()]);
            },
            .f32_packed => matmul_f32.unpackRow(@ptrCast(table), row, y.columns(), target),
            .i8_block_packed => matmul_i8.dequantiseRow(@ptrCast(table), row, y.columns(), target),
            else => unreachable, // checked
        }
    }
}

/// Every row sees all others of its batch.
fn attend(call: *const Call, operator: *const format.Operator, in: []const u32, y: *const View, rows: Rows) void {
    const a = attributes(format.AttendAttributes, operator);
    const shape = attention.Shape{
        .heads = a.heads,
        .key_heads = a.key_heads,
        .head_size = a.head_size,
        .window = 0,
        .scale = a.scale,
        .cap = a.cap,
    };
    const q = viewOf(call, in[0]);
    const k = viewOf(call, in[1]);
    const v = viewOf(call, in[2]);
    const head_vectors = shape.head_size / 4;
    for (rows.first..rows.first + rows.count) |row| {
        const first = row / q.lengths[1] * k.lengths[1]; // of the batch's keys
        for (0..shape.heads) |head| {
            const part = head / (shape.heads / shape.key_heads) * head_vectors;
            attention.attendHead(
                q.vectors(row) + head * head_vectors,
                .{ .first = k.vectors(first) + part, .stride_bytes = k.strides[1] },
                .{ .first = v.vectors(first) + part, .stride_bytes = v.strides[1] },
                k.lengths[1],
                shape,
                y.vectors(row) + head * head_vectors,
                @ptrCast(call.scratch),
            );
        }
    }
}

/// More than one row of the operator's output takes, by the network's cost table. The figures are those of the kernels
/// with a row at a time, or more: tests/compiler/test_graphs.py compares.
fn rowInstructions(call: *const Call, operator: *const format.Operator) u64 {
    const in = call.program.inputs(operator);
    const y = viewOf(call, drivingTensor(call, operator));
    const columns: u64 = y.columns();
    const each: u64 = switch (@as(format.Code, @enumFromInt(operator.code))) {
        .matmul => 2 * call.length(&call.program.tensors[in[1]], 1) + 32,
        .batch_matmul => (4 + 160 / columns) * viewOf(call, in[0]).columns() + 32,
        .attend => blk: {
            const a = attributes(format.AttendAttributes, operator);
            break :blk @as(u64, viewOf(call, in[1]).lengths[1]) * (6 + 96 / a.head_size) + 300;
        },
        .reduce => blk: {
            const x = viewOf(call, in[0]);
            const inner = @as(u64, x.rowCount()) * x.columns() / @max(1, @as(u64, y.rowCount()) * columns);
            break :blk (32 + 160 / columns) * inner + 64;
        },
        else => 64,
    };
    return each * columns + 2500;
}

test {
    _ = strided;
}
