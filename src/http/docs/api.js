// What openapi.json says, in the shape that the page shows.

const VERBS = ["get", "post", "put", "patch", "delete"];

export class Api {
  static async load() {
    const response = await fetch("openapi.json");
    if (!response.ok) {
      throw new Error(`the server answered ${response.status} ${response.statusText}`);
    }
    return new Api(await response.json());
  }

  constructor(document) {
    this.document = document;
    this.info = document.info;
    const operations = Object.entries(document.paths).flatMap(([path, verbs]) =>
      VERBS.filter((verb) => verbs[verb]).map((verb) => this.#operation(path, verb, verbs[verb])),
    );
    this.services = document.tags.map((tag) => ({
      name: tag.name,
      title: tag.name.replace(/Service$/, "s"),
      description: tag.description,
      operations: operations.filter((operation) => operation.tag === tag.name),
    }));
  }

  /** What a reference points to, with what is said beside it; anything else as it is. */
  resolve(node) {
    if (!node?.$ref) {
      return node;
    }
    const { $ref, ...beside } = node;
    const target = $ref
      .slice(2)
      .split("/")
      .reduce((part, name) => part[name], this.document);
    return { ...this.resolve(target), ...beside };
  }

  #operation(path, verb, operation) {
    const parameters = operation.parameters.map((parameter) => this.resolve(parameter));
    const body = operation.requestBody?.content["application/json"];
    return {
      id: operation.operationId,
      title: words(operation.operationId.split("_")[1]),
      tag: operation.tags[0],
      verb: verb.toUpperCase(),
      path,
      summary: operation.summary,
      description: operation.description,
      inPath: parameters.filter((parameter) => parameter.in === "path"),
      inQuery: parameters.filter((parameter) => parameter.in === "query"),
      inHeader: parameters.filter((parameter) => parameter.in === "header"),
      body,
      responses: Object.entries(operation.responses).map(([status, response]) => {
        const { description, content } = this.resolve(response);
        const { schema, example, examples } = content["application/json"];
        const values = Object.values(examples ?? {}).map((given) => given.value);
        return { status: Number(status), description, schema, examples: example ? [example] : values };
      }),
    };
  }
}

/** "ListLeadsLifeCycles" as "List leads life cycles". */
function words(name) {
  const [first, ...others] = name.split(/(?=[A-Z])/);
  return [first, ...others.map((word) => word.toLowerCase())].join(" ");
}
