// Durable facts (DESIGN.md section 3): what was begun, done and seen, never a program counter.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace fota::ports {

/// One fact about one subject. Kinds and field names are declared by the module that writes them.
struct Fact {
    std::string kind;     ///< "attempt-begun", "execute", "block-progress", ...
    std::string subject;  ///< the endpoint
    std::string attempt;  ///< which attempt it belongs to; "" for facts about the subject as such
    std::map<std::string, std::string> fields;
    std::uint64_t sequence = 0;  ///< order of writing, set by the store
    std::int64_t wall_ms = 0;    ///< when, by the wall clock, set by the store; for reports only
};

enum class Durability : std::uint8_t {
    full,     ///< on the disk before the call returns: intents and outcomes
    relaxed,  ///< may be lost in a crash: block progress
};

class Store {
  public:
    virtual ~Store() = default;
    /// Appends. store_failed when it cannot be made durable.
    virtual Result<> append(Fact fact, Durability durability) = 0;
    /// Takes the place of all facts of the same kind, subject and attempt, with a new sequence number: for progress,
    /// which has no history.
    virtual Result<> replace(Fact fact, Durability durability) = 0;
    /// All facts of a subject, in order of writing.
    virtual Result<std::vector<Fact>> facts(const std::string& subject) = 0;
    /// All subjects that have facts, sorted.
    virtual Result<std::vector<std::string>> subjects() = 0;
};

}  // namespace fota::ports
