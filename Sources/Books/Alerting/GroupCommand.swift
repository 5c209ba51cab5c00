import Domain

/// The command that puts a group of letters right, for alerts and for the desk itself.
package enum GroupCommand {
    /// A wrong value is corrected, letter by letter; what nobody can read is looked at first; anything else is sent
    /// again when its cause is mended.
    ///
    /// - Parameter firstLetter: the oldest open one's number.
    package static func text(_ deadLetterClass: String, group: Int64, open: Int, firstLetter: Int64?) -> String {
        switch (DeadLetterClass(rawValue: deadLetterClass), open, firstLetter) {
        case (.value, 1, let letter?):
            "tillbridge dead-letters edit \(letter) --set FIELD=VALUE --reason WHY --replay"
        case (.parse, 1, let letter?): "tillbridge dead-letters show \(letter)"
        case (.value, _, _), (.parse, _, _): "tillbridge dead-letters list --group \(group)"
        default: "tillbridge dead-letters replay --group \(group) --wait"
        }
    }
}
