//! Reads and checks a program file (docs/formats/program.md). After `open` every table, offset and shape holds, for
//! every call within the program's maxima; only operators' demands on their operands are checked elsewhere
//! (operators.zig). Nothing here trusts a byte: sizes are computed in 64 bits from fields of 32.

const std = @import("std");
const format = @import("format.zig");

pub const Error = error{
    /// Not a program, or one that was cut short.
    BadHeader,
    /// Written by a compiler that this engine does not know.
    UnknownVersion,
    /// A table, offset, shape or attribute that does not hold together.
    BadProgram,
    /// An operator, an element type or a size that this engine does not have.
    Unsupported,
};

const section_count = std.meta.fields(format.Section).len;
const context_length_limit = 1 << 20;
const arena_size_limit = 1 << 30;

pub const Program = struct {
    header: *const format.Header,
    dimensions: []const format.Dimension,
    tensors: []const format.Tensor,
    operands: []const u32,
    operators: []const format.Operator,
    end_tokens: []const u32,
    weights: []align(format.alignment_bytes) const u8,

    pub fn open(bytes: []align(format.alignment_bytes) const u8) Error!Program {
        const header = try checkedHeader(bytes);
        const program = Program{
            .header = header,
            .dimensions = try table(format.Dimension, bytes, .dimensions),
            .tensors = try table(format.Tensor, bytes, .tensors),
            .operands = try table(u32, bytes, .operands),
            .operators = try table(format.Operator, bytes, .operators),
            .end_tokens = try table(u32, bytes, .end_tokens),
            .weights = try section(bytes, .weights),
        };
        for (program.dimensions) |dimension| if (dimension.reserved != 0) return error.BadProgram;
        for (program.tensors) |*tensor| try program.checkTensor(tensor);
        for (program.operators) |*operator| try program.checkOperator(operator);
        for (program.end_tokens) |token| if (token >= header.vocabulary_size) return error.BadProgram;
        try program.checkLogits();
        return program;
    }

    /// Bytes of keys and values, and of the positions beyond them that may be read (never used).
    pub fn stateSizeBytes(program: Program) u64 {
        return stateRows(program.header) * program.header.state_row_size_bytes;
    }

    pub fn inputs(program: Program, operator: *const format.Operator) []const u32 {
        return program.operands[operator.first_operand..][0..operator.input_count];
    }

    pub fn outputs(program: Program, operator: *const format.Operator) []const u32 {
        return program.operands[operator.first_operand + operator.input_count ..][0..operator.output_count];
    }

    pub fn rowsOf(program: Program, tensor: *const format.Tensor) format.Dimension {
        return program.dimensions[tensor.dimensions[0]];
    }

    pub fn columnsOf(program: Program, tensor: *const format.Tensor) u32 {
        return program.dimensions[tensor.dimensions[1]].constant;
    }

    fn checkTensor(program: Program, tensor: *const format.Tensor) Error!void {
        const element = std.meta.intToEnum(format.Element, tensor.element) catch return error.Unsupported;
        const storage = std.meta.intToEnum(format.Storage, tensor.storage) catch return error.Unsupported;
        if (tensor.reserved != 0 or tensor.reserved_2 != 0) return error.BadProgram;
        if (tensor.rank != 2) return error.Unsupported;
        for (tensor.dimensions, 0..) |dimension, i| {
            if (i < tensor.rank) {
                if (dimension >= program.dimensions.len) return error.BadProgram;
            } else if (dimension != 0) return error.BadProgram;
        }
        const columns = program.dimensions[tensor.dimensions[1]];
        if (columns.constant == 0 or columns.sequence != 0 or columns.past != 0) return error.BadProgram;
        const rows = program.rowsOf(tensor);
        if (@as(u64, rows.constant) + rows.sequence == 0) return error.BadProgram;
        switch (storage) {
            .arena => try program.checkArena(tensor, element, rows),
            .weights => try program.checkWeights(tensor, element, rows),
            .state => try program.checkState(tensor, element, rows),
        }
    }

    fn checkArena(program: Program, tensor: *const format.Tensor, element: format.Element, rows: format.Dimension) !void {
        if (element != .f32 and element != .i16_block) return error.BadProgram;
        try checkExtent(tensor, element, program.columnsOf(tensor), program.rowsMax(rows), program.header.arena_size_bytes);
    }

    fn checkWeights(program: Program, tensor: *const format.Tensor, element: format.Element, rows: format.Dimension) !void {
        if (rows.sequence != 0 or rows.past != 0) return error.BadProgram;
        if (tensor.offset % format.alignment_bytes != 0) return error.BadProgram;
        const columns = program.columnsOf(tensor);
        if (element == .f32) return checkExtent(tensor, element, columns, rows.constant, program.weights.len);
        switch (element) {
            .f32_packed, .i8_block_packed, .i4_block_packed, .i4_block_bytes, .i8_screened => {},
            else => return error.BadProgram,
        }
        if (tensor.row_stride_bytes != 0) return error.BadProgram;
        const size = packedSizeBytes(element, rows.constant, columns);
        if (tensor.offset + size > program.weights.len) return error.BadProgram;
    }

    fn checkState(program: Program, tensor: *const format.Tensor, element: format.Element, rows: format.Dimension) !void {
        const header = program.header;
        if (rows.constant != header.context_length_max or rows.sequence != 0 or rows.past != 0) return error.BadProgram;
        if (tensor.row_stride_bytes != header.state_row_size_bytes) return error.BadProgram;
        switch (element) {
            .f32 => try checkExtent(tensor, element, program.columnsOf(tensor), 1, header.state_row_size_bytes),
            .i16_kept => if (tensor.offset % format.group != 0) return error.BadProgram, // operators.zig knows the heads
            else => return error.BadProgram,
        }
    }

    /// The most rows there can be; too large rather than too small.
    fn rowsMax(program: Program, rows: format.Dimension) u64 {
        const sequence = @as(u64, rows.sequence) * program.header.sequence_max;
        const past = @as(u64, rows.past) * program.header.context_length_max;
        return rows.constant + sequence + past;
    }

    fn checkOperator(program: Program, operator: *const format.Operator) Error!void {
        const code = std.meta.intToEnum(format.Code, operator.code) catch return error.Unsupported;
        const signature = format.signature(code);
        if (operator.input_count != signature.inputs or operator.output_count != signature.outputs) {
            return error.BadProgram;
        }
        const count: u64 = @as(u64, signature.inputs) + signature.outputs;
        if (operator.first_operand + count > program.operands.len) return error.BadProgram;
        for (program.inputs(operator)) |index| {
            if (index != format.no_operand and index >= program.tensors.len) return error.BadProgram;
        }
        for (program.outputs(operator)) |index| {
            if (index >= program.tensors.len) return error.BadProgram;
            if (program.tensors[index].storage != @intFromEnum(format.Storage.arena)) return error.BadProgram;
        }
        for (operator.attributes[signature.attributes..]) |word| if (word != 0) return error.BadProgram;
    }

    fn checkLogits(program: Program) Error!void {
        const header = program.header;
        if (header.logits >= program.tensors.len) return error.BadProgram;
        const logits = &program.tensors[header.logits];
        const rows = program.rowsOf(logits);
        if (logits.storage != @intFromEnum(format.Storage.arena)) return error.BadProgram;
        if (logits.element != @intFromEnum(format.Element.f32)) return error.BadProgram;
        if (rows.constant != 1 or rows.sequence != 0 or rows.past != 0) return error.BadProgram;
        if (program.columnsOf(logits) != header.vocabulary_size) return error.BadProgram;
        if (header.body_operator_count > program.operators.len) return error.BadProgram;
    }
};

fn stateRows(header: *const format.Header) u64 {
    return roundUp(@as(u64, header.context_length_max) + format.group - 1, format.state_chunk);
}

/// Bytes that a row takes, in whole vectors.
pub fn rowSizeBytes(element: format.Element, columns: u32) u64 {
    if (element == .i16_block) return roundUp(blocks(columns) * (2 * format.block + 4), format.row_alignment_bytes);
    return roundUp(@as(u64, columns) * 4, format.row_alignment_bytes);
}

fn packedSizeBytes(element: format.Element, outputs: u32, columns: u32) u64 {
    const narrow = roundUp(outputs, format.group);
    const wide = roundUp(outputs, format.wide_group);
    return switch (element) {
        .f32_packed => narrow *| columns *| 4,
        .i4_block_packed => wide * blocks(columns) *| (format.block / 2 + 4),
        .i4_block_bytes => wide * blocks(columns) *| (format.block + 4),
        .i8_screened => wide * blocks(columns) *| (format.block + format.block / 2 + 4),
        else => narrow * blocks(columns) *| (format.block + 4),
    };
}

fn blocks(columns: u32) u64 {
    return roundUp(columns, format.block) / format.block;
}

fn roundUp(value: u64, step: u64) u64 {
    return (value + step - 1) / step * step;
}

fn checkExtent(tensor: *const format.Tensor, element: format.Element, columns: u32, rows: u64, size: u64) Error!void {
    const row_size = rowSizeBytes(element, columns);
    if (tensor.offset % format.row_alignment_bytes != 0) return error.BadProgram;
    if (tensor.row_stride_bytes % format.row_alignment_bytes != 0) return error.BadProgram;
    if (tensor.row_stride_bytes < row_size) return error.BadProgram;
    const end = tensor.offset +| (rows - 1) *| tensor.row_stride_bytes +| row_size;
    if (end > size) return error.BadProgram;
}

fn checkedHeader(bytes: []align(format.alignment_bytes) const u8) Error!*const format.Header {
    if (bytes.len < @sizeOf(format.Header) + section_count * @sizeOf(format.SectionEntry)) return error.BadHeader;
    const header: *const format.Header = @ptrCast(bytes.ptr);
    if (!std.mem.eql(u8, &header.magic, &format.magic)) return error.BadHeader;
    if (header.version != format.version) return error.UnknownVersion;
    if (header.section_count != section_count or header.size_bytes != bytes.len) return error.BadHeader;
    for (header.reserved) |word| if (word != 0) return error.BadProgram;
    if (header.vocabulary_size == 0 or header.sequence_max == 0) return error.BadProgram;
    if (header.sequence_max > header.context_length_max) return error.BadProgram;
    if (header.context_length_max > context_length_limit) return error.Unsupported;
    if (header.arena_size_bytes > arena_size_limit) return error.Unsupported;
    if (header.state_row_size_bytes % format.row_alignment_bytes != 0) return error.BadProgram;
    if (stateRows(header) * header.state_row_size_bytes > std.math.maxInt(u32)) return error.Unsupported;
    return header;
}

/// The sections follow each other in the order of their kinds, each on an alignment boundary.
fn section(bytes: []align(format.alignment_bytes) const u8, kind: format.Section) Error![]align(format.alignment_bytes) const u8 {
    const entries: *const [section_count]format.SectionEntry = @ptrCast(bytes[@sizeOf(format.Header)..].ptr);
    const index = @intFromEnum(kind) - 1;
    const entry = entries[index];
    if (entry.kind != @intFromEnum(kind) or entry.reserved != 0) return error.BadProgram;
    if (entry.offset % format.alignment_bytes != 0) return error.BadProgram;
    const begin = if (index == 0)
        @sizeOf(format.Header) + @sizeOf([section_count]format.SectionEntry)
    else
        @as(u64, entries[index - 1].offset) + entries[index - 1].size_bytes;
    const end = @as(u64, entry.offset) + entry.size_bytes;
    if (entry.offset < begin or end > bytes.len) return error.BadProgram;
    return @alignCast(bytes[entry.offset..][0..entry.size_bytes]);
}

fn table(comptime T: type, bytes: []align(format.alignment_bytes) const u8, kind: format.Section) Error![]const T {
    const content = try section(bytes, kind);
    if (content.len % @sizeOf(T) != 0) return error.BadProgram;
    const count = content.len / @sizeOf(T);
    if (count > format.table_length_max) return error.Unsupported;
    return @as([*]const T, @ptrCast(content.ptr))[0..count];
}
