//! One product of some rows with some matrices, and how it is shared among threads.

const std = @import("std");
const activations = @import("activations.zig");
const product = @import("product.zig");
const weights = @import("weights.zig");

pub const matrices_max = 3;

const rows_at_once = 16; // that are quantised by one task
const task_tiles_min = 4; // narrower ones cost more than a thread more gives

pub const Matrix = struct {
    weights: union(enum) { eight: weights.Weights(8), four: weights.Weights(4) },
    bias: ?[*]const f32,

    pub fn outputs(matrix: *const Matrix) usize {
        return switch (matrix.weights) {
            inline else => |w| w.outputs,
        };
    }

    fn tileCount(matrix: *const Matrix) usize {
        return switch (matrix.weights) {
            inline else => |w| w.tileCount(),
        };
    }
};

pub const Work = struct {
    x: [*]const f32, // [rows, inputs]
    rows: usize,
    inputs: usize,
    threads: usize, // that there probably are
    matrices: []const Matrix,
    results: [matrices_max][*]f32, // of each matrix [rows, outputs]
    blocks: [*]activations.Block = undefined, // [rows, blocks]

    pub fn blockCount(work: *const Work) usize {
        return divCeil(work.inputs, weights.block);
    }

    /// All of it. `parallel` runs each of its tasks once, at any time and in any thread: `run(function, count, work)`.
    pub fn run(work: *Work, parallel: anytype) !void {
        if (work.rows == 0) return;
        try share(work, parallel, quantise, divCeil(work.rows, rows_at_once));
        try share(work, parallel, multiply, divCeil(work.tileCount(), work.tilesOfTask()) * work.piecesOfRows());
    }

    fn share(work: *Work, parallel: anytype, comptime task: fn (*Work, usize) void, count: usize) !void {
        const with_c = struct {
            fn run(memory: *anyopaque, index: usize) callconv(.c) void {
                task(@ptrCast(@alignCast(memory)), index);
            }
        };
        if (count == 1) task(work, 0) else try parallel.run(with_c.run, count, work);
    }

    fn quantise(work: *Work, group: usize) void {
        const first = group * rows_at_once;
        const count = @min(rows_at_once, work.rows - first);
        const x = work.x[first * work.inputs ..][0 .. count * work.inputs];
        const width = work.blockCount();
        activations.quantise(x, work.inputs, work.blocks[first * width ..][0 .. count * width]);
    }

    /// Of all matrices, one after the other.
    fn tileCount(work: *const Work) usize {
        var tiles: usize = 0;
        for (work.matrices) |*matrix| tiles += matrix.tileCount();
        return tiles;
    }

    /// One row wants wide tasks: memory is read fastest from its beginning to its end.
    fn tilesOfTask(work: *const Work) usize {
        if (work.rows > 1) return 1;
        return std.math.clamp(divCeil(work.tileCount(), work.threads), task_tiles_min, product.stretch_tiles);
    }

    fn piecesOfRows(work: *const Work) usize {
        return divCeil(work.rows, product.rows_max);
    }

    fn multiply(work: *Work, task: usize) void {
        const row = task % work.piecesOfRows() * product.rows_max;
        const tiles = work.tilesOfTask();
        var first = task / work.piecesOfRows() * tiles;
        var end = first + tiles;
        for (work.matrices, work.results[0..work.matrices.len]) |*matrix, result| {
            const count = matrix.tileCount();
            if (first < count and end > 0) {
                const rows = product.Rows{
                    .x = work.blocks + row * work.blockCount(),
                    .y = result + row * matrix.outputs(),
                    .count = @min(product.rows_max, work.rows - row),
                };
                switch (matrix.weights) {
                    .eight => |w| product.Product(8).multiply(w, matrix.bias, rows, first, @min(end, count)),
                    .four => |w| product.Product(4).multiply(w, matrix.bias, rows, first, @min(end, count)),
                }
            }
            first -|= count;
            end -|= count;
        }
    }
};

pub fn divCeil(a: usize, b: usize) usize {
    return (a + b - 1) / b;
}
