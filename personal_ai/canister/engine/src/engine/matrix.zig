//! A matrix in memory: rows at equal distances, each beginning on a vector's boundary.

const simd = @import("simd.zig");

pub const Matrix = struct {
    base: [*]align(16) u8,
    stride_bytes: usize,
    rows: usize,
    columns: usize,

    pub inline fn row(self: Matrix, index: usize) [*]align(16) u8 {
        return @alignCast(self.base + index * self.stride_bytes);
    }

    /// A row of f32 as vectors; the last one may reach past `columns` into the row's padding.
    pub inline fn vectors(self: Matrix, index: usize) [*]simd.F32x4 {
        return @ptrCast(self.row(index));
    }

    pub inline fn vectorCount(self: Matrix) usize {
        return (self.columns + 3) / 4;
    }
};
