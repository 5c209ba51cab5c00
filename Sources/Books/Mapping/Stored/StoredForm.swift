package import JSON
import Domain
import Money

/// How documents and entries are kept between two decisions: as JSON that loses nothing. What is written is read back
/// equal, to the last digit, by this version and by later ones, which may only add fields.
package protocol StoredForm {
    func write(to writer: inout JSONWriter)
    /// - Throws: ``StoredFormError`` with the field that cannot be read.
    init(stored json: JSON) throws(StoredFormError)
}

package struct StoredFormError: Error, Equatable, CustomStringConvertible {
    package let field: String
    package var description: String { "the stored field `\(field)` is missing or cannot be read" }
}

extension StoredForm {
    package var stored: [UInt8] {
        var writer = JSONWriter()
        write(to: &writer)
        return writer.bytes
    }

    package init(stored bytes: [UInt8]) throws(StoredFormError) {
        guard let json = try? JSON(parsing: bytes) else { throw StoredFormError(field: "the whole") }
        try self.init(stored: json)
    }
}

extension JSON {
    func text(_ key: StaticString) throws(StoredFormError) -> String {
        guard let text = self[key]?.string else { throw StoredFormError(field: "\(key)") }
        return text
    }

    func money(_ key: StaticString) throws(StoredFormError) -> Money {
        guard let cents = self[key]?.integer, let money = Money(storedCents: cents) else {
            throw StoredFormError(field: "\(key)")
        }
        return money
    }

    func decimal(_ key: StaticString) throws(StoredFormError) -> ExactDecimal {
        guard let decimal = self[key]?.numberText.flatMap({ ExactDecimal($0) }) else {
            throw StoredFormError(field: "\(key)")
        }
        return decimal
    }

    func date(_ key: StaticString) throws(StoredFormError) -> CalendarDate {
        guard let date = self[key]?.string.flatMap({ CalendarDate($0) }) else { throw StoredFormError(field: "\(key)") }
        return date
    }

    func list<Element: StoredForm>(_ key: StaticString) throws(StoredFormError) -> [Element] {
        var list: [Element] = []
        for element in self[key]?.elements ?? [] { list.append(try Element(stored: element)) }
        return list
    }
}

extension JSONWriter {
    mutating func list(_ name: StaticString, _ elements: [some StoredForm]) {
        if elements.isEmpty { return }
        key(name)
        array { writer in for element in elements { element.write(to: &writer) } }
    }

    mutating func texts(_ name: StaticString, _ texts: [String]) {
        if texts.isEmpty { return }
        key(name)
        array { writer in for text in texts { writer.string(text) } }
    }

    mutating func optional(_ name: StaticString, _ value: String?) {
        if let value { field(name, value) }
    }
}

extension Money {
    /// A sum of many bounded amounts may be beyond ``max``; what overflows is no sum of ours.
    init?(storedCents cents: Int64) {
        guard cents.magnitude < UInt64(1) << 60 else { return nil }
        self.init(cents: cents)
    }
}
