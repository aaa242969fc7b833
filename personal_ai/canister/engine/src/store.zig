//! The uploaded files in stable memory (docs/formats/upload.md): two slots, the active model's and the staged upload's,
//! over blocks of one chunk each. The slots are mirrored in the heap; whatever changes is written through at once.

const std = @import("std");
const ic0 = @import("ic0.zig");
const manifest = @import("manifest.zig");
const sha256 = @import("sha256.zig");
const Counters = @import("interface.zig").Counters;

pub const Digest = sha256.Digest;
pub const SlotIndex = u1;

const magic = "PAISTORE";
const version = 1;
const page_size_bytes = ic0.page_size_bytes;
const slot_pages = 3;
const slot_manifest_offset = 4;
const slot_blocks_offset = 16_384;
const slot_hashes_offset = 32_768;
const first_block_page = 1 + 2 * slot_pages;
const block_pages = manifest.chunk_size_bytes / page_size_bytes;
const blocks_most = 2 * manifest.chunks_most;
const no_slot = 2;

comptime {
    std.debug.assert(block_pages * page_size_bytes == manifest.chunk_size_bytes);
    std.debug.assert(slot_manifest_offset + manifest.bytes_most <= slot_blocks_offset);
    std.debug.assert(slot_blocks_offset + 4 * manifest.chunks_most <= slot_hashes_offset);
    std.debug.assert(slot_hashes_offset + 32 * manifest.chunks_most <= slot_pages * page_size_bytes);
    std.debug.assert(@import("builtin").cpu.arch.endian() == .little); // tables are copied as they lie
}

pub const OpenError = error{ ForeignStableMemory, UnknownVersion, Damaged, NoRoom };

/// One upload and how much of it is there.
pub const Slot = struct {
    manifest_buffer: [manifest.bytes_most]u8,
    manifest_length: u32,
    manifest: manifest.Manifest,
    hash: Digest,
    chunk_hashes: [manifest.chunks_most]Digest,
    /// Block number + 1 of each chunk; 0 when it has not been received.
    blocks: [manifest.chunks_most]u32,
    received: u32,

    pub fn complete(self: *const Slot) bool {
        return self.received == self.manifest.chunk_count;
    }

    /// Takes canonical bytes that lie in `manifest_buffer`, and the chunk hashes that lie in `chunk_hashes`.
    pub fn describe(self: *Slot, length: u32) manifest.Error!void {
        self.manifest_length = length;
        self.manifest = try manifest.parse(self.manifest_buffer[0..length]);
        var hasher = sha256.Sha256{};
        hasher.update(self.manifest_buffer[0..length]);
        hasher.update(std.mem.sliceAsBytes(self.chunk_hashes[0..self.manifest.chunk_count]));
        self.hash = hasher.final();
        @memset(self.blocks[0..self.manifest.chunk_count], 0);
        self.received = 0;
    }

    /// Takes over the block of every chunk that `other` holds already.
    pub fn share(self: *Slot, other: *const Slot) void {
        const wanted = self.chunk_hashes[0..self.manifest.chunk_count];
        for (other.chunk_hashes[0..other.manifest.chunk_count], other.blocks[0..other.manifest.chunk_count]) |held, block| {
            if (block == 0) continue;
            for (wanted, self.blocks[0..wanted.len]) |hash, *target| {
                if (target.* != 0 or !std.mem.eql(u8, &hash, &held)) continue;
                target.* = block;
                self.received += 1;
            }
        }
    }
};

/// Only the slots that `active` and `staging` name hold anything.
pub var slots: [2]Slot = undefined;
/// The model that answers, or would once it is loaded.
pub var active: ?SlotIndex = null;
/// The upload under way.
pub var staging: ?SlotIndex = null;
pub var counters: Counters = .{};

var blocks_used: std.StaticBitSet(blocks_most) = .initEmpty();

/// Reads what stable memory holds; an empty one becomes a store.
pub fn open() OpenError!void {
    active = null;
    staging = null;
    counters = .{};
    if (ic0.stable.sizePages() == 0) {
        if (!ic0.stable.grow(first_block_page)) return error.NoRoom;
        return writeHeader();
    }
    var header: Header = undefined;
    ic0.stable.read(0, std.mem.asBytes(&header));
    if (!std.mem.eql(u8, &header.magic, magic)) return error.ForeignStableMemory;
    if (header.version != version) return error.UnknownVersion;
    active = try slotIndex(header.active);
    staging = try slotIndex(header.staging);
    counters = header.counters;
    if (active) |index| try readSlot(index);
    if (staging) |index| try readSlot(index);
    countBlocks();
}

/// Counters are written when a module is replaced; all else is there already.
pub fn writeHeader() void {
    const header = Header{
        .active = if (active) |index| index else no_slot,
        .staging = if (staging) |index| index else no_slot,
        .counters = counters,
    };
    ic0.stable.write(0, std.mem.asBytes(&header));
}

pub fn slotWithHash(hash: []const u8) ?SlotIndex {
    for ([2]?SlotIndex{ active, staging }) |candidate| {
        const index = candidate orelse continue;
        if (std.mem.eql(u8, &slots[index].hash, hash)) return index;
    }
    return null;
}

/// Makes `incoming` the staged upload, in the place of another one.
pub fn stage(incoming: *Slot) void {
    if (active) |index| incoming.share(&slots[index]);
    if (staging) |index| incoming.share(&slots[index]);
    const index = staging orelse if (active) |other| other ^ 1 else 0;
    const slot = &slots[index];
    slot.* = incoming.*;
    slot.manifest = manifest.parse(slot.manifest_buffer[0..slot.manifest_length]) catch unreachable; // names lie in the slot
    staging = index;
    countBlocks();
    writeSlot(index);
    writeHeader();
}

/// Forgets the staged upload; its blocks are free again.
pub fn unstage() void {
    staging = null;
    countBlocks();
    writeHeader();
}

/// The staged upload becomes the active model, whose own blocks are free again.
pub fn activateStaged() void {
    active = staging;
    unstage();
}

/// Keeps the verified bytes of a chunk. False when stable memory cannot grow.
pub fn writeChunk(index: SlotIndex, chunk: u32, bytes: []const u8) bool {
    const block = freeBlock() orelse return false;
    const pages = first_block_page + block_pages * (@as(u64, block) + 1);
    const size = ic0.stable.sizePages();
    if (pages > size and !ic0.stable.grow(pages - size)) return false;
    ic0.stable.write(blockOffset(block), bytes);
    blocks_used.set(block);
    slots[index].blocks[chunk] = block + 1;
    slots[index].received += 1;
    ic0.stable.write(slotOffset(index) + slot_blocks_offset + 4 * @as(u64, chunk), std.mem.asBytes(&slots[index].blocks[chunk]));
    return true;
}

/// Reads bytes of the concatenated files from `offset` on; all the chunks must have been received.
pub fn read(index: SlotIndex, offset: u64, target: []u8) void {
    const slot = &slots[index];
    var at = offset;
    var rest = target;
    while (rest.len > 0) {
        const chunk: u32 = @intCast(at / manifest.chunk_size_bytes);
        const within: u32 = @intCast(at % manifest.chunk_size_bytes);
        const count = @min(rest.len, manifest.chunk_size_bytes - within);
        ic0.stable.read(blockOffset(slot.blocks[chunk] - 1) + within, rest[0..count]);
        at += count;
        rest = rest[count..];
    }
}

const Header = extern struct {
    magic: [magic.len]u8 = magic.*,
    version: u32 = version,
    active: u32,
    staging: u32,
    reserved: u32 = 0,
    counters: Counters,
};

fn slotIndex(number: u32) OpenError!?SlotIndex {
    if (number == no_slot) return null;
    return std.math.cast(SlotIndex, number) orelse error.Damaged;
}

fn slotOffset(index: SlotIndex) u64 {
    return (1 + @as(u64, index) * slot_pages) * page_size_bytes;
}

fn blockOffset(block: u32) u64 {
    return (first_block_page + block_pages * @as(u64, block)) * page_size_bytes;
}

fn writeSlot(index: SlotIndex) void {
    const slot = &slots[index];
    const offset = slotOffset(index);
    const count = slot.manifest.chunk_count;
    ic0.stable.write(offset, std.mem.asBytes(&slot.manifest_length));
    ic0.stable.write(offset + slot_manifest_offset, slot.manifest_buffer[0..slot.manifest_length]);
    ic0.stable.write(offset + slot_blocks_offset, std.mem.sliceAsBytes(slot.blocks[0..count]));
    ic0.stable.write(offset + slot_hashes_offset, std.mem.sliceAsBytes(slot.chunk_hashes[0..count]));
}

fn readSlot(index: SlotIndex) OpenError!void {
    const slot = &slots[index];
    const offset = slotOffset(index);
    var length: u32 = 0;
    ic0.stable.read(offset, std.mem.asBytes(&length));
    if (length > manifest.bytes_most) return error.Damaged;
    ic0.stable.read(offset + slot_manifest_offset, slot.manifest_buffer[0..length]);
    ic0.stable.read(offset + slot_hashes_offset, std.mem.sliceAsBytes(&slot.chunk_hashes));
    slot.describe(length) catch return error.Damaged;
    const blocks = slot.blocks[0..slot.manifest.chunk_count];
    ic0.stable.read(offset + slot_blocks_offset, std.mem.sliceAsBytes(blocks));
    const block_count = (ic0.stable.sizePages() - first_block_page) / block_pages;
    for (blocks) |block| {
        if (block > @min(block_count, blocks_most)) return error.Damaged;
        slot.received += @intFromBool(block != 0);
    }
}

fn countBlocks() void {
    blocks_used = .initEmpty();
    for ([2]?SlotIndex{ active, staging }) |candidate| {
        const slot = &slots[candidate orelse continue];
        for (slot.blocks[0..slot.manifest.chunk_count]) |block| if (block != 0) blocks_used.set(block - 1);
    }
}

fn freeBlock() ?u32 {
    const free = blocks_used.complement();
    return if (free.findFirstSet()) |block| @intCast(block) else null;
}
