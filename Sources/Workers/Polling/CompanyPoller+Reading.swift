import Domain
import Kounta
import Logging
import Messaging
import Settings
import Store
import Telemetry

/// What is read of a venue, each by itself: none waits for another, and none keeps another from being read.
enum VenueReading: String, Sendable, CaseIterable {
    /// What was sold just now.
    case new = "new orders"
    /// What was completed late.
    case overlap
    /// What nobody has read yet, and the last days once more.
    case older = "older orders"
    /// What was deleted or left on an account.
    case sideLists = "side lists"
}

extension CompanyPoller {
    /// Reads for as long as the lease is held.
    func keep(_ reading: VenueReading, _ venue: VenueSettings, _ lease: Lease) async {
        var failures = 0
        while !Task.isCancelled {
            var rest = settings.interval
            do {
                try await currency.check()
                rest = max(rest, try await look(reading, venue, lease))
                if failures > 0 {
                    logger.notice(
                        "reading the venue works again",
                        metadata: ["venue": "\(venue.name)", "reading": "\(reading.rawValue)"])
                }
                failures = 0
                await setStopped(venue, by: reading, false)
            } catch {
                if Task.isCancelled { return }
                // One order that waits has its own pauses: what is sold meanwhile does not wait with it.
                let isHeldUp = !(error is WaitingOrder && [.new, .overlap].contains(reading))
                failures = isHeldUp ? failures + 1 : 0
                await report(error, reading, venue)
            }
            do { try await clock.sleep(pause(rest, afterFailures: failures)) } catch { return }
        }
    }

    /// - Returns: when to look again; at the interval's end at the earliest.
    private func look(_ reading: VenueReading, _ venue: VenueSettings, _ lease: Lease) async throws -> Duration {
        let company = at(venue)
        switch reading {
        case .new: try await scanner.lookForNew(venue, of: company, lease: lease)
        case .overlap: try await scanner.readOverlap(of: venue, in: company, lease: lease)
        case .older: return try await scanner.readOlder(of: venue, in: company, lease: lease)
        case .sideLists: return try await scanner.readSideLists(of: venue, in: company, lease: lease)
        }
        return .zero
    }

    func report(_ error: any Error, _ reading: VenueReading?, _ venue: VenueSettings) async {
        var metadata: Logger.Metadata = ["venue": "\(venue.name)", "site": "\(venue.site)"]
        metadata["reading"] = "\(reading?.rawValue ?? "takings")"
        switch error {
        case let waiting as WaitingOrder:
            await setStopped(venue, by: reading, false)
            guard waiting.isNews else { return }
            logger.warning("everything else of the venue was read: \(waiting)", metadata: metadata)
        case is UnreadCustomer:
            await setStopped(venue, by: reading, false)
            logger.warning("everything else of the venue was read: \(error)", metadata: metadata)
        case KountaError.unexpectedShape where reading?.movesCursor ?? false:
            await setStopped(venue, by: reading, true)
            logger.error("this venue is STOPPED, its cursor stays where it was: \(error)", metadata: metadata)
        case is ForeignCurrency:
            // Told by one of those that wait for it.
            guard reading == .new else { return }
            await setStopped(venue, by: reading, true)
            logger.error("this venue is STOPPED, nothing of it is read: \(error)", metadata: metadata)
        default:
            logger.warning("the venue could not be read, it is tried again: \(error)", metadata: metadata)
        }
        metrics.count("tillbridge_poll_failures_total", ["company": company.key.text, "site": venue.site.text])
    }

    private func setStopped(_ venue: VenueSettings, by reading: VenueReading?, _ isStopped: Bool) async {
        guard let reading else { return }
        let isAny = await stops.set(venue.site, by: reading, isStopped)
        metrics.set(
            "tillbridge_venue_stopped", ["company": company.key.text, "site": venue.site.text], to: isAny ? 1 : 0)
    }

    /// With a tenth of jitter; after failures the interval, doubled with each, up to five minutes.
    private func pause(_ rest: Duration, afterFailures failures: Int) -> Duration {
        var base = rest
        if failures > 0 {
            base = min(settings.interval * (1 << min(failures, 8)), max(.seconds(300), settings.interval))
        }
        return base + base * clock.random(in: -100...100) / 1000
    }
}

extension VenueReading {
    /// Whether the cursor waits for it.
    fileprivate var movesCursor: Bool { self != .sideLists }
}

/// Of each venue the readings that are stopped: it goes again when none is.
actor StoppedVenues {
    private var readings: [SiteID: Set<VenueReading>] = [:]

    /// - Returns: whether any of the venue's is stopped.
    func set(_ site: SiteID, by reading: VenueReading, _ isStopped: Bool) -> Bool {
        if isStopped {
            readings[site, default: []].insert(reading)
        } else {
            readings[site]?.remove(reading)
        }
        return !(readings[site]?.isEmpty ?? true)
    }
}
