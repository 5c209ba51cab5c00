/// A limit of calls for which the ledger refused one (429), in a bookkeeper's words.
package enum CallLimit {
    /// - Parameter name: as Xero's `X-Rate-Limit-Problem` has it.
    package static func park(_ name: String) -> Park {
        let limit =
            switch name.lowercased() {
            case "minute": "to this organisation is used up for the minute"
            case "day": "to this organisation is used up for the day (until midnight UTC)"
            case "appminute": "to all organisations of this app together is used up for the minute"
            case "concurrent": "to this organisation at the same time is reached"
            default: "is used up (\(name))"
            }
        return Park(
            .rateLimit, "\(words) \(limit), although Tillbridge counts its own: another app may be using it.",
            remedy: remedy)
    }

    /// Every such cause begins so.
    private static let words = "Xero's limit of calls"

    package static let remedy = "See in Xero (Settings, Connected apps) which other app calls the organisation, and "
        + "disconnect it or have it call less; of the day's calls Xero's plan may allow more. When Xero takes calls "
        + "again, these are sent again by themselves; replay sends them at once."

    /// The app's own minute, as Xero names it: no organisation that is called through the same app is served.
    package static func isOfApp(_ name: String) -> Bool { name.lowercased() == "appminute" }

    /// Whether it was a limit that stood in the way, by the sentence that was stored or that a message carries.
    package static func isNamed(in cause: String) -> Bool { cause.contains(words) }
}
