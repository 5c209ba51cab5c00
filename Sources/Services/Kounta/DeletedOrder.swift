import JSON

/// The record of an order that stands in the list of deleted ones.
package enum DeletedOrder {
    /// What a deleted order looks like by itself is not known: it may say `deleted`, say nothing of it, or no longer be
    /// had. The list is what tells.
    ///
    /// - Parameters:
    ///   - detail: the whole record; nil where Kounta no longer has it.
    ///   - row: the list's row, which then has to do.
    /// - Returns: the record with `deleted` set; nil where it says that it is not deleted: somebody brought it back
    ///   between the two looks, and the next one will tell.
    package static func record(_ detail: [UInt8]?, row: [UInt8]) -> [UInt8]? {
        let bytes = detail ?? row
        // What is no record at all goes on as it is: whoever reads it says so.
        guard let json = try? JSON(parsing: bytes), json.kind == .object else { return bytes }
        if let mark = json["deleted"], !mark.isNull {
            if mark.isTruthful { return bytes }
            if detail != nil { return nil }
        }
        var writer = JSONWriter(capacity: bytes.count + 20)
        writer.object { writer in
            for (key, value) in json.members where key != "deleted" {
                writer.key(dynamic: key)
                writer.raw(value.raw)
            }
            writer.field("deleted", true)
        }
        return writer.bytes
    }
}
