//! What a caller may send to a graph: numbers for its inputs, drawn anew for each run. What earlier runs left in the arena
//! would not do: as indices, floats lie outside of every table, and a graph that looks up its inputs ends at once.

const std = @import("std");
const shell = @import("shell");
const engine = shell.engine;
const format = shell.format;

const odd_floats = [_]f32{
    0,                       -0.0,                       std.math.inf(f32),
    -std.math.inf(f32),      std.math.nan(f32),          std.math.floatMax(f32),
    -std.math.floatMax(f32), std.math.floatTrueMin(f32), 1e-30,
};
const odd_integers = [_]i64{
    std.math.minInt(i64), std.math.maxInt(i64), std.math.minInt(i32), std.math.maxInt(u32), 1 << 32, -1, 0, 1 << 20,
};

/// Fills every input of a call, by its element type: mostly with indices that all tables have and with ordinary floats,
/// once in a while with any numbers.
pub fn draw(model: *const engine.Model, call: anytype, random: std.Random) void {
    const height: i64 = @intCast(leastTableHeight(model));
    const odd_indices = random.uintLessThan(u8, 16) == 0;
    const odd_numbers = random.uintLessThan(u8, 4) == 0;
    for (model.program.ports) |*port| {
        if (port.direction != @intFromEnum(format.Direction.input)) continue;
        const view = engine.graph.viewOf(call, port.tensor);
        const wide = model.program.tensors[port.tensor].element == @intFromEnum(format.Element.i64);
        for (0..view.rowCount()) |i| {
            if (wide) {
                const row: [*]i64 = @ptrCast(@alignCast(view.row(i)));
                for (row[0..view.columns()]) |*index| index.* = drawIndex(height, odd_indices, random);
            } else {
                const row: [*]f32 = @ptrCast(@alignCast(view.row(i)));
                for (row[0..view.columns()]) |*number| number.* = drawFloat(odd_numbers, random);
            }
        }
    }
}

/// Rows of the smallest table that the graph looks up; few where it looks up none.
fn leastTableHeight(model: *const engine.Model) u64 {
    var least: u64 = 16;
    for (model.program.operators) |*operator| {
        if (operator.code != @intFromEnum(format.Code.gather)) continue;
        least = @min(least, model.program.rowsMax(&model.program.tensors[model.program.inputs(operator)[0]]));
    }
    return least;
}

/// From the table's beginning or, below zero, from its end.
fn drawIndex(height: i64, odd: bool, random: std.Random) i64 {
    if (odd and random.boolean()) {
        return if (random.boolean()) random.int(i64) else odd_integers[random.uintLessThan(usize, odd_integers.len)];
    }
    return random.intRangeLessThan(i64, -height, height);
}

fn drawFloat(odd: bool, random: std.Random) f32 {
    if (odd and random.boolean()) {
        return if (random.boolean()) @bitCast(random.int(u32)) else odd_floats[random.uintLessThan(usize, odd_floats.len)];
    }
    return 8 * random.float(f32) - 4;
}
