// YAML with the line of every node, and bounds on what hostile input can cost. Built on yaml-cpp's events, so that its
// own unbounded document tree is never made.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace fota::layout {

struct YamlEntry;

/// An immutable node; an alias shares the node of its anchor.
struct YamlNode {
    enum class Kind { null, scalar, sequence, map };
    Kind kind = Kind::null;
    unsigned line = 0;  ///< from 1
    std::string scalar;
    std::vector<std::shared_ptr<const YamlNode>> items;
    std::vector<YamlEntry> entries;

    /// The value of a map's key, or nullptr.
    const YamlNode* get(std::string_view key) const;
    /// Walks keys separated by '/'.
    const YamlNode* at(std::string_view path) const;
};

struct YamlEntry {
    std::string key;
    unsigned line = 0;  ///< of the key
    std::shared_ptr<const YamlNode> value;
};

/// The first document. config_invalid with the line when it cannot be parsed, is deeper than 32 levels, holds more than
/// 20,000 nodes or is longer than 256 KiB. An empty text is a null node.
Result<std::shared_ptr<const YamlNode>> parse_yaml(std::string_view text);

}  // namespace fota::layout
