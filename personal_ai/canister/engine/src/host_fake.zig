//! A canister's surroundings for native tests: a growing stable memory, a heap of a fixed most, a counter that the test sets.

const std = @import("std");

const page_size_bytes = 65536;
const heap_pages_most = 4096;

pub var stable_bytes: std.ArrayList(u8) = .empty;
pub var stable_pages_most: u64 = 65536;
pub var instructions: u64 = 0;
/// What each look at the counter adds.
pub var instructions_per_look: u64 = 0;
pub var heap_size_pages: u32 = 0;
/// When the timer shall fire; 0 when it is off.
pub var timer_ns: u64 = 0;

var heap_bytes: ?[]align(page_size_bytes) u8 = null;

/// A new canister: all memory empty, nothing counted.
pub fn reset() void {
    stable_bytes.clearAndFree(std.heap.page_allocator);
    stable_pages_most = 65536;
    instructions = 0;
    instructions_per_look = 0;
    heap_size_pages = 0;
    timer_ns = 0;
    if (heap_bytes) |bytes| std.heap.page_allocator.free(bytes);
    heap_bytes = null;
}

pub fn performance_counter(_: u32) u64 {
    instructions += instructions_per_look;
    return instructions;
}

pub fn global_timer_set(time_ns: u64) u64 {
    defer timer_ns = time_ns;
    return timer_ns;
}

pub fn stable64_size() u64 {
    return stable_bytes.items.len / page_size_bytes;
}

pub fn stable64_grow(pages: u64) u64 {
    const before = stable64_size();
    if (before + pages > stable_pages_most) return std.math.maxInt(u64);
    stable_bytes.appendNTimes(std.heap.page_allocator, 0, @intCast(pages * page_size_bytes)) catch return std.math.maxInt(u64);
    return before;
}

pub fn stable64_read(target: u64, offset: u64, size_bytes: u64) void {
    const bytes: [*]u8 = @ptrFromInt(@as(usize, @intCast(target)));
    @memcpy(bytes[0..@intCast(size_bytes)], stable_bytes.items[@intCast(offset)..][0..@intCast(size_bytes)]);
}

pub fn stable64_write(offset: u64, source: u64, size_bytes: u64) void {
    const bytes: [*]const u8 = @ptrFromInt(@as(usize, @intCast(source)));
    @memcpy(stable_bytes.items[@intCast(offset)..][0..@intCast(size_bytes)], bytes[0..@intCast(size_bytes)]);
}

pub fn heapSizePages() u32 {
    return heap_size_pages;
}

pub fn heapGrow(pages: u32) bool {
    if (heap_size_pages + pages > heap_pages_most) return false;
    @memset(heapPages(heap_size_pages, pages), 0);
    heap_size_pages += pages;
    return true;
}

pub fn heapPages(first: u32, count: u32) []align(page_size_bytes) u8 {
    if (heap_bytes == null) {
        const size_bytes = heap_pages_most * page_size_bytes;
        const alignment = comptime std.mem.Alignment.fromByteUnits(page_size_bytes);
        heap_bytes = std.heap.page_allocator.alignedAlloc(u8, alignment, size_bytes) catch @panic("out of memory");
    }
    return @alignCast(heap_bytes.?[first * page_size_bytes ..][0 .. count * page_size_bytes]);
}
