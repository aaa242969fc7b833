//! What is uploaded: a model's name, its files and how many chunks cover them, in the bytes that are hashed and kept
//! (docs/formats/upload.md). Everything a manifest may not be is refused by `parse`, wherever its bytes come from.

const std = @import("std");
const candid = @import("candid.zig");
const interface = @import("interface.zig");

pub const chunk_size_bytes = 1_900_544;
pub const chunks_most = 4096;
pub const files_most = 64;
pub const name_bytes_most = 128;
/// Length of the longest canonical form.
pub const bytes_most = magic.len + 2 + name_bytes_most + 4 + files_most * (2 + name_bytes_most + 8) + 4;
/// The file that the engine runs.
pub const program_name = "program";

const magic = "PAIUPLD\x01";

pub const Error = error{
    BadHeader,
    BadModelName,
    BadFileCount,
    BadFileName,
    DuplicateFileName,
    NoProgram,
    Empty,
    TooManyChunks,
    BadChunkCount,
};

/// Why a manifest is refused, in words.
pub fn explain(err: Error) []const u8 {
    return switch (err) {
        error.BadHeader => "the manifest's bytes are damaged",
        error.BadModelName => "the model's name must be 1 to 128 bytes of UTF-8",
        error.BadFileCount => "there must be 1 to 64 files",
        error.BadFileName => "a file name must be 1 to 128 of A-Z a-z 0-9 . _ - and not begin with a dot",
        error.DuplicateFileName => "two files have one name",
        error.NoProgram => "no file is named program",
        error.Empty => "the files are empty",
        error.TooManyChunks => "the files need more than 4096 chunks",
        error.BadChunkCount => "chunk_hashes must hold 32 bytes for each chunk of 1900544 bytes",
    };
}

/// A file and where it begins in the concatenation of all.
pub const File = struct { name: []const u8, offset: u64, size_bytes: u64 };

pub const Manifest = struct {
    name: []const u8 = &.{},
    file_list: [files_most]File = undefined,
    file_count: u32 = 0,
    size_bytes: u64 = 0,
    chunk_count: u32 = 0,

    pub fn files(self: *const Manifest) []const File {
        return self.file_list[0..self.file_count];
    }

    pub fn file(self: *const Manifest, name: []const u8) ?File {
        for (self.files()) |known| if (std.mem.eql(u8, known.name, name)) return known;
        return null;
    }

    /// The last chunk is shorter.
    pub fn chunkSizeBytes(self: *const Manifest, index: u32) u32 {
        return @intCast(@min(chunk_size_bytes, self.size_bytes - @as(u64, index) * chunk_size_bytes));
    }
};

/// The canonical bytes of a request, at the beginning of `buffer`. Lengths are checked here, the rest by `parse`.
pub fn canonical(request: *const interface.UploadManifest, buffer: *[bytes_most]u8) Error![]const u8 {
    var writer = Writer{ .buffer = buffer };
    writer.bytes(magic);
    if (request.name.bytes.len > name_bytes_most) return error.BadModelName;
    writer.named(request.name.bytes);
    if (request.files.count > files_most) return error.BadFileCount;
    writer.integer(u32, request.files.count);
    var files = request.files.iterator();
    while (files.next()) |file| {
        if (file.name.bytes.len > name_bytes_most) return error.BadFileName;
        writer.named(file.name.bytes);
        writer.integer(u64, file.size_bytes);
    }
    if (request.chunk_hashes.bytes.len % 32 != 0) return error.BadChunkCount;
    writer.integer(u32, @intCast(request.chunk_hashes.bytes.len / 32));
    return buffer[0..writer.at];
}

/// Reads canonical bytes; names in the result lie in `bytes`.
pub fn parse(bytes: []const u8) Error!Manifest {
    var reader = Reader{ .rest = bytes };
    if (!std.mem.eql(u8, try reader.take(magic.len), magic)) return error.BadHeader;
    var manifest = Manifest{ .name = try reader.named() };
    if (manifest.name.len == 0 or manifest.name.len > name_bytes_most) return error.BadModelName;
    if (!std.unicode.utf8ValidateSlice(manifest.name)) return error.BadModelName;
    const file_count = try reader.integer(u32);
    if (file_count == 0 or file_count > files_most) return error.BadFileCount;
    for (0..file_count) |_| try addFile(&manifest, try reader.named(), try reader.integer(u64));
    manifest.chunk_count = try reader.integer(u32);
    if (reader.rest.len != 0) return error.BadHeader;
    if (manifest.file(program_name) == null) return error.NoProgram;
    if (manifest.size_bytes == 0) return error.Empty;
    const needed = std.math.divCeil(u64, manifest.size_bytes, chunk_size_bytes) catch unreachable;
    return if (manifest.chunk_count == needed) manifest else error.BadChunkCount;
}

fn addFile(manifest: *Manifest, name: []const u8, size_bytes: u64) Error!void {
    if (!isFileName(name)) return error.BadFileName;
    if (manifest.file(name) != null) return error.DuplicateFileName;
    const room = @as(u64, chunks_most) * chunk_size_bytes - manifest.size_bytes;
    if (size_bytes > room) return error.TooManyChunks;
    const file = File{ .name = name, .offset = manifest.size_bytes, .size_bytes = size_bytes };
    manifest.file_list[manifest.file_count] = file;
    manifest.file_count += 1;
    manifest.size_bytes += size_bytes;
}

fn isFileName(name: []const u8) bool {
    if (name.len == 0 or name.len > name_bytes_most or name[0] == '.') return false;
    for (name) |byte| {
        if (!std.ascii.isAlphanumeric(byte) and byte != '.' and byte != '_' and byte != '-') return false;
    }
    return true;
}

const Writer = struct {
    buffer: *[bytes_most]u8,
    at: usize = 0,

    fn bytes(self: *Writer, source: []const u8) void {
        @memcpy(self.buffer[self.at..][0..source.len], source);
        self.at += source.len;
    }

    fn integer(self: *Writer, comptime T: type, number: T) void {
        std.mem.writeInt(T, self.buffer[self.at..][0..@sizeOf(T)], number, .little);
        self.at += @sizeOf(T);
    }

    fn named(self: *Writer, name: []const u8) void {
        self.integer(u16, @intCast(name.len));
        self.bytes(name);
    }
};

const Reader = struct {
    rest: []const u8,

    fn take(self: *Reader, count: usize) Error![]const u8 {
        if (count > self.rest.len) return error.BadHeader;
        defer self.rest = self.rest[count..];
        return self.rest[0..count];
    }

    fn integer(self: *Reader, comptime T: type) Error!T {
        return std.mem.readInt(T, (try self.take(@sizeOf(T)))[0..@sizeOf(T)], .little);
    }

    fn named(self: *Reader) Error![]const u8 {
        return self.take(try self.integer(u16));
    }
};
