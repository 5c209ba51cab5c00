import JSON

/// Corrects a record by hand: single values by their path, everything else byte for byte as it was.
package enum RecordEdit {
    /// - Parameters:
    ///   - assignment: `total=12.30`, `payments[0].amount=5`, `lines[2].product.name="Flat White"`. What is JSON is
    ///     taken as it is; anything else is a text.
    /// - Throws: ``Problem`` with what cannot be found or is no assignment.
    package static func applying(_ assignment: String, to body: [UInt8]) throws(Problem) -> [UInt8] {
        guard let sign = assignment.firstIndex(of: "="), sign != assignment.startIndex else {
            throw Problem("`\(assignment)` is no assignment: write it as total=12.30 or payments[0].amount=5")
        }
        let path = String(assignment[..<sign])
        let json: JSON
        do { json = try JSON(parsing: body) } catch {
            throw Problem("the record is \(error): give the whole record by --file")
        }
        let target = try find(path, in: json)
        let value = literal(String(assignment[assignment.index(after: sign)...]))
        var result = body
        result.replaceSubrange(target, with: value)
        return result
    }

    /// The order's id stays, and the site of an order that is in the books: a document's number is made of both, and
    /// under another number one sale could be booked twice.
    ///
    /// - Parameters:
    ///   - order: the letter's own id of the order, where its message said it.
    ///   - booked: the version that the books have, whose site counts; nil where the order is not in the books.
    package static func check(
        _ body: [UInt8], against before: [UInt8], order: String?, booked: [UInt8]?
    ) throws(Problem) {
        let new: JSON
        do { new = try JSON(parsing: body) } catch { throw Problem("the corrected record is \(error)") }
        guard new.kind == .object, let id = identifier(new) else {
            throw Problem("the corrected record is no order: it has no `id`")
        }
        if let wanted = order ?? (try? JSON(parsing: before)).flatMap(identifier), wanted != id {
            throw Problem("the order's `id` is \(wanted) and must stay so, not \(id)")
        }
        if let site = booked.flatMap({ try? JSON(parsing: $0) }).flatMap(site), site != Self.site(new) {
            throw Problem(
                "the order is in the books of site \(site), and its `site_id` must be that: its document's number is "
                    + "made of the venue's prefix")
        }
        guard body != before else { throw Problem("nothing is changed") }
    }

    package struct Problem: Error, CustomStringConvertible {
        package let description: String
        package init(_ description: String) { self.description = description }
    }

    private static func identifier(_ json: JSON) -> String? {
        (json["id_str"] ?? json["id"]).flatMap { $0.string ?? $0.numberText }
    }

    private static func site(_ json: JSON) -> String? { json["site_id"].flatMap { $0.string ?? $0.numberText } }

    /// The bytes of the value at a path such as `payments[0].amount`.
    private static func find(_ path: String, in json: JSON) throws(Problem) -> Range<Int> {
        var value = json
        var done = ""
        for step in path.replacing("[", with: ".[").split(separator: ".") {
            let next: JSON?
            if step.hasPrefix("["), step.hasSuffix("]"), let index = Int(step.dropFirst().dropLast()) {
                let elements = value.elements
                next = elements.indices.contains(index) ? elements[index] : nil
            } else {
                next = value[key: String(step)]
            }
            guard let next else {
                let place = done.isEmpty ? "the record" : "`\(done)`"
                throw Problem("\(place) has no `\(step)`; a new field needs the whole record, by --file")
            }
            value = next
            done += (done.isEmpty || step.hasPrefix("[") ? "" : ".") + step
        }
        guard !done.isEmpty else { throw Problem("`\(path)` names no field") }
        return value.raw.startIndex..<value.raw.endIndex
    }

    private static func literal(_ text: String) -> [UInt8] {
        if (try? JSON(parsing: text)) != nil { return Array(text.utf8) }
        var writer = JSONWriter()
        writer.string(text)
        return writer.bytes
    }
}
