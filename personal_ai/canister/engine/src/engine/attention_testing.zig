//! What the tests of both attentions share: queries, keys and values, and plain attention in f64 to compare with.

const std = @import("std");
const Matrix = @import("matrix.zig").Matrix;
const Shape = @import("attention.zig").Shape;
const testing = std.testing;

/// The rows of one call.
pub const Rows = struct { q: Matrix, k: Matrix, v: Matrix, y: Matrix };

/// `Memory` holds keys and values: `context` positions of up to `width_max` numbers. It has `fill(rubbish)` and
/// `run(rows, shape, past)`.
pub fn Case(comptime Memory: type) type {
    return struct {
        const Self = @This();
        const size = Memory.context * Memory.width_max;

        q: [size]f32 align(16),
        k: [size]f32 align(16),
        v: [size]f32 align(16),
        y: [size]f32 align(16),
        memory: Memory,

        /// With normal numbers.
        pub fn create() !*Self {
            const case = try testing.allocator.create(Self);
            var prng = std.Random.DefaultPrng.init(1);
            for ([_]*[size]f32{ &case.q, &case.k, &case.v }) |values| {
                for (values) |*value| value.* = prng.random().floatNorm(f32);
            }
            return case;
        }

        pub fn destroy(case: *Self) void {
            testing.allocator.destroy(case);
        }

        /// Near plain attention over `length` positions, and the bits depend on neither split nor stale memory.
        pub fn expectPlain(case: *Self, shape: Shape, length: usize, tolerance: f32) !void {
            case.run(shape, &.{length}, 0xff);
            const whole = try testing.allocator.dupe(f32, case.y[0 .. length * shape.heads * shape.head_size]);
            defer testing.allocator.free(whole);
            for (0..length) |position| for (0..shape.heads) |head| {
                const i = (position * 5 + head) % shape.head_size;
                const got = whole[(position * shape.heads + head) * shape.head_size + i];
                if (position % 7 == 0) try testing.expectApproxEqAbs(case.expected(shape, position, head, i), got, tolerance);
            };
            const ones: [Memory.context]usize = @splat(1);
            case.run(shape, ones[0..length], 0x7f);
            try testing.expectEqualSlices(u32, @ptrCast(whole), @ptrCast(case.y[0..whole.len]));
            case.run(shape, &.{ 3, 17, 1, length - 21 }, 0);
            try testing.expectEqualSlices(u32, @ptrCast(whole), @ptrCast(case.y[0..whole.len]));
        }

        /// Runs `splits` in turn, into `y`, on memory full of `rubbish`.
        pub fn run(case: *Self, shape: Shape, splits: []const usize, rubbish: u8) void {
            const width = shape.heads * shape.head_size;
            const key_width = shape.key_heads * shape.head_size;
            case.memory.fill(rubbish);
            var past: usize = 0;
            for (splits) |count| {
                const rows = Rows{
                    .q = matrix(&case.q, past, count, width),
                    .k = matrix(&case.k, past, count, key_width),
                    .v = matrix(&case.v, past, count, key_width),
                    .y = matrix(&case.y, past, count, width),
                };
                case.memory.run(rows, shape, past);
                past += count;
            }
        }

        fn matrix(values: []align(16) f32, first: usize, count: usize, columns: usize) Matrix {
            const base: [*]align(16) u8 = @ptrCast(values.ptr);
            return .{
                .base = @alignCast(base + first * columns * 4),
                .stride_bytes = columns * 4,
                .rows = count,
                .columns = columns,
            };
        }

        fn expected(case: *const Self, shape: Shape, position: usize, head: usize, index: usize) f32 {
            const head_size = shape.head_size;
            const key_at = head / (shape.heads / shape.key_heads) * head_size;
            const key_width = shape.key_heads * head_size;
            const first = if (shape.window == 0) 0 else (position + 1) -| shape.window;
            var total: f64 = 0;
            var mixed: f64 = 0;
            for (first..position + 1) |other| {
                var product: f64 = 0;
                for (0..head_size) |i| {
                    const query: f64 = case.q[(position * shape.heads + head) * head_size + i];
                    product += query * case.k[other * key_width + key_at + i];
                }
                const score = product * shape.scale;
                const weight = @exp(if (shape.cap > 0) shape.cap * std.math.tanh(score / shape.cap) else score);
                total += weight;
                mixed += weight * case.v[other * key_width + key_at + index];
            }
            return @floatCast(mixed / total);
        }
    };
}
