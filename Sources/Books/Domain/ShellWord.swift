/// A name as one word of a command that a person copies into a shell: `Joe's Bar` as `'Joe'\''s Bar'`.
package enum ShellWord {
    package static func quoted(_ text: String) -> String {
        // What a till wrote stays on its line.
        let line = String(text.map { $0.isNewline ? " " : $0 })
        return "'" + line.replacing("'", with: "'\\''") + "'"
    }

    /// In quotes only where a shell would read it as anything but itself.
    package static func bare(_ text: String) -> String {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."),
                UInt8(ascii: "/"), UInt8(ascii: ":"), UInt8(ascii: "@"), UInt8(ascii: "+"), UInt8(ascii: ","):
                true
            default: false
            }
        }
        return isPlain && !text.hasPrefix("-") ? text : quoted(text)
    }
}
