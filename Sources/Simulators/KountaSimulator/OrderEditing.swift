import JSON

/// Changes to a record that hold for any record, generated or injected: they touch only what they name.
enum OrderEditing {
    /// The record with each member of `patch` in the place of its own, new ones at the end.
    static func merging(_ patch: JSON, into record: JSON) -> [UInt8] {
        var writer = JSONWriter(capacity: record.raw.count + patch.raw.count)
        let own = record.members
        writer.object { writer in
            for (key, value) in own {
                writer.key(dynamic: key)
                writer.raw((patch[key: key] ?? value).raw)
            }
            for (key, value) in patch.members where !own.contains(where: { $0.key == key }) {
                writer.key(dynamic: key)
                writer.raw(value.raw)
            }
        }
        return writer.bytes
    }

    /// The record as if the goods and payments of `other` had been entered on it: only what names the order, its place
    /// and its time stays.
    static func entering(_ other: JSON, on record: JSON) -> [UInt8] {
        let own: Set<String> = [
            "id", "id_str", "company_id", "site_id", "register_id", "sale_number", "created_at", "placed_at",
        ]
        var writer = JSONWriter(capacity: other.raw.count)
        writer.object { writer in
            for (key, value) in other.members {
                writer.key(dynamic: key)
                writer.raw((own.contains(key) ? record[key: key] ?? value : value).raw)
            }
        }
        return writer.bytes
    }

    /// The record of a refund of the whole order: a record of its own, as the POS makes it.
    static func refund(of record: JSON, id: Int64, at now: Int64, isNegative: Bool) throws -> [UInt8] {
        guard let original = record["id"]?.integer else { throw RecordProblem(description: "the order has no id") }
        var patch = JSONWriter()
        patch.object { patch in
            patch.field("id", id)
            patch.field("id_str", String(id))
            patch.field("sale_number", "R\(id % 100_000)")
            patch.field("status", "COMPLETE")
            patch.field("is_refund", true)
            patch.field("refunded_order_id", original)
            patch.field("deleted", false)
            for name in ["created_at", "updated_at", "placed_at"] as [StaticString] {
                patch.key(name)
                patch.time(now)
            }
            guard isNegative else { return }
            for name in ["total", "total_tax", "paid", "tips", "price_fixed_variation"] as [StaticString] {
                guard let amount = record[name] else { continue }
                patch.key(name)
                patch.raw(negated(amount))
            }
            patch.key("lines")
            negate(
                ["quantity", "line_total_ex_tax", "line_total_tax", "price_fixed_variation"], in: record["lines"],
                &patch)
            patch.key("payments")
            negate(["amount", "tip"], in: record["payments"], &patch)
        }
        return merging(try JSON(parsing: patch.bytes), into: record)
    }

    private static func negate(_ names: Set<String>, in list: JSON?, _ writer: inout JSONWriter) {
        writer.array { writer in
            for element in list?.elements ?? [] {
                writer.object { writer in
                    for (key, value) in element.members {
                        writer.key(dynamic: key)
                        if names.contains(key) { writer.raw(negated(value)) } else { writer.raw(value.raw) }
                    }
                }
            }
        }
    }

    /// The amount with its sign turned, by its digits; null and zero stay.
    private static func negated(_ amount: JSON) -> [UInt8] {
        let raw = Array(amount.raw)
        let isText = amount.kind == .string
        let digits = isText ? raw.dropFirst().dropLast() : raw[...]
        guard amount.kind == .number || isText, digits.contains(where: { (49...57).contains($0) }) else { return raw }
        let minus = UInt8(ascii: "-")
        let turned = digits.first == minus ? Array(digits.dropFirst()) : [minus] + digits
        return isText ? [UInt8(ascii: "\"")] + turned + [UInt8(ascii: "\"")] : turned
    }

    /// One of four ways a record can be wrong: no total; a total that is no number; a negative total of a sale; a venue
    /// nobody knows.
    static func spoiled(_ record: JSON, way: Int) -> [UInt8] {
        var writer = JSONWriter(capacity: record.raw.count)
        writer.object { writer in
            for (key, value) in record.members {
                if way == 0 && key == "total" { continue }
                writer.key(dynamic: key)
                switch (way, key) {
                case (1, "total"): writer.string("twelve dollars")
                case (2, "total"): writer.raw(negated(value))
                case (3, "site_id"): writer.number(999_999)
                default: writer.raw(value.raw)
                }
            }
        }
        return writer.bytes
    }
}
