import Domain

/// Wakes whoever waits for a permit of an organisation: one for each that comes back, in the order in which they began
/// to wait.
actor PermitBell {
    private struct Sleeper {
        let id: Int
        let continuation: CheckedContinuation<Void, Never>
    }

    private var counts: [OrganisationKey: Int] = [:]
    private var sleepers: [OrganisationKey: [Sleeper]] = [:]
    private var lastID = 0

    /// How often it rang so far: asked before a look at the tables, so that no ring between look and wait is missed.
    func rings(_ organisation: OrganisationKey) -> Int { counts[organisation] ?? 0 }

    func ring(_ organisation: OrganisationKey) {
        counts[organisation, default: 0] += 1
        guard sleepers[organisation]?.isEmpty == false else { return }
        sleepers[organisation]?.removeFirst().continuation.resume()
    }

    /// Returns at the next ring, or at once where it rang since, or when the task is cancelled.
    func wait(_ organisation: OrganisationKey, after rings: Int) async {
        lastID += 1
        let id = lastID
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard (counts[organisation] ?? 0) == rings, !Task.isCancelled else { return continuation.resume() }
                sleepers[organisation, default: []].append(Sleeper(id: id, continuation: continuation))
            }
        } onCancel: {
            // Unstructured: the handler is synchronous. Finds nobody where the sleeper was woken meanwhile.
            Task { await self.leave(organisation, id) }
        }
    }

    private func leave(_ organisation: OrganisationKey, _ id: Int) {
        guard let place = sleepers[organisation]?.firstIndex(where: { $0.id == id }) else { return }
        sleepers[organisation]?.remove(at: place).continuation.resume()
    }
}
