//! The heap above the module's own data, given out in runs of whole pages. Heap memory on the network never shrinks,
//! so what is freed is given out again before the heap grows: few, large regions, first fit.

const std = @import("std");
const ic0 = @import("ic0.zig");

pub const page_size_bytes = ic0.page_size_bytes;

/// wasm32 has 65,536 pages; the last one stays out so that no slice ends at address 2^32.
const pages_most: u32 = 65535;
const regions_most = 40;

pub const Error = error{NoRoom};

pub const Region = struct {
    first: u32,
    count: u32,

    pub const none: Region = .{ .first = 0, .count = 0 };

    pub fn bytes(self: Region) []align(page_size_bytes) u8 {
        return ic0.heap.pageBytes(self.first, self.count);
    }

    pub fn sizeBytes(self: Region) u64 {
        return @as(u64, self.count) * page_size_bytes;
    }

    fn end(self: Region) u32 {
        return self.first + self.count;
    }
};

/// Given-out regions by address.
var regions: [regions_most]Region = undefined;
var region_count: usize = 0;
/// Where the module's own data ends; known at the first allocation, before anything has grown the heap.
var floor: ?u32 = null;

/// `size_bytes` rounded up to pages (at least one), all zero. error.NoRoom when no gap is long enough or the network refuses to grow.
pub fn allocate(size_bytes: u64) Error!Region {
    const count = pagesFor(size_bytes) orelse return error.NoRoom;
    if (region_count == regions_most) return error.NoRoom;
    const at, const first = findGap(count) orelse return error.NoRoom;
    const size_before = ic0.heap.sizePages();
    const region = Region{ .first = first, .count = count };
    if (region.end() > size_before and !ic0.heap.grow(region.end() - size_before)) return error.NoRoom;
    const recycled = @min(count, size_before -| first);
    @memset(ic0.heap.pageBytes(first, recycled), 0);
    std.mem.copyBackwards(Region, regions[at + 1 .. region_count + 1], regions[at..region_count]);
    regions[at] = region;
    region_count += 1;
    return region;
}

/// Gives a region back; `.none` may be given back at any time.
pub fn free(region: Region) void {
    for (regions[0..region_count], 0..) |known, at| {
        if (known.first != region.first or region.count == 0) continue;
        std.mem.copyForwards(Region, regions[at .. region_count - 1], regions[at + 1 .. region_count]);
        region_count -= 1;
        return;
    }
}

/// Bytes of the longest run of pages that can still be given out, were the network to let the heap grow.
pub fn largestFreeBytes() u64 {
    var largest: u32 = 0;
    var from = floorPage();
    for (regions[0..region_count]) |region| {
        largest = @max(largest, region.first - from);
        from = region.end();
    }
    largest = @max(largest, pages_most - from);
    return @as(u64, largest) * page_size_bytes;
}

/// For tests: forgets everything.
pub fn reset() void {
    region_count = 0;
    floor = null;
}

fn pagesFor(size_bytes: u64) ?u32 {
    const count = std.math.divCeil(u64, @max(size_bytes, 1), page_size_bytes) catch unreachable;
    return if (count > pages_most) null else @intCast(count);
}

/// The place in `regions` and the first page of the lowest gap of `count` pages.
fn findGap(count: u32) ?struct { usize, u32 } {
    var from = floorPage();
    for (regions[0..region_count], 0..) |region, at| {
        if (region.first - from >= count) return .{ at, from };
        from = region.end();
    }
    return if (pages_most - from >= count) .{ region_count, from } else null;
}

fn floorPage() u32 {
    if (floor == null) floor = ic0.heap.sizePages();
    return floor.?;
}

test "regions do not overlap, are zero, and are given out again" {
    ic0.fake.reset();
    reset();
    ic0.fake.heap_size_pages = 3;
    const a = try allocate(1);
    const b = try allocate(2 * page_size_bytes + 1);
    const c = try allocate(page_size_bytes);
    try std.testing.expectEqual(Region{ .first = 3, .count = 1 }, a);
    try std.testing.expectEqual(Region{ .first = 4, .count = 3 }, b);
    try std.testing.expectEqual(Region{ .first = 7, .count = 1 }, c);
    @memset(b.bytes(), 7);
    free(b);
    const d = try allocate(2 * page_size_bytes);
    try std.testing.expectEqual(b.first, d.first);
    try std.testing.expect(std.mem.allEqual(u8, d.bytes(), 0));
    const e = try allocate(2 * page_size_bytes);
    try std.testing.expectEqual(Region{ .first = 8, .count = 2 }, e);
    try std.testing.expectEqual(Region{ .first = 6, .count = 1 }, try allocate(0));
    free(.none);
    try std.testing.expectError(error.NoRoom, allocate(1 << 40));
    try std.testing.expectError(error.NoRoom, allocate(page_size_bytes * 65536));
    try std.testing.expectEqual(@as(u64, (65535 - 10) * page_size_bytes), largestFreeBytes());
}
