// What the tests ask of the page, as `drive.<name>(...)`.

window.drive = (() => {
  let ends = 0;
  const drive = {
    root: () => app.rootGraph ?? app.graph,
    ends: () => ends,

    async start() {
      const { api } = await import("/scripts/api.js");
      for (const end of ["execution_success", "execution_error"]) api.addEventListener(end, () => ends++);
    },

    /** A graph in the host's API format onto the canvas, its nodes side by side. */
    async build(nodes) {
      app.canvas.setGraph(drive.root());
      const { id } = app.graph;
      app.graph.clear();
      app.graph.id = id; // by which the minimap of frontend 1.44 finds what it puts back when a subgraph is opened
      for (let frame = 0; frame < 2; frame++) await new Promise(requestAnimationFrame); // the old nodes leave the page
      const made = {};
      let x = 0;
      for (const [id, { class_type }] of Object.entries(nodes)) {
        const node = LiteGraph.createNode(class_type);
        node.id = Number(id);
        app.graph.add(node);
        node.pos = [x, 0];
        x += node.size[0] + 40;
        made[id] = node;
      }
      for (const [id, { inputs }] of Object.entries(nodes)) {
        for (const [name, value] of Object.entries(inputs)) {
          if (Array.isArray(value)) made[value[0]].connect(value[1], made[id], name);
          else drive.input(made[id], name).value = value;
        }
      }
    },

    look(scale) {
      app.canvas.ds.scale = scale;
      app.canvas.ds.offset = [60, 110];
      app.canvas.setDirty(true, true);
    },

    node(id, graph = drive.root()) {
      const inside = () => graph.nodes.filter((node) => node.subgraph).map((node) => drive.node(id, node.subgraph));
      return graph.nodes.find((node) => String(node.id) === String(id)) ?? inside().find(Boolean);
    },

    input: (node, name) => node.widgets.find((widget) => widget.name === name),
    value: (id, name) => drive.input(drive.node(id), name).value,
    type: (id) => drive.node(id).type,
    plan: (id) => drive.node(id)?.widgets?.find((widget) => widget.type === "cotj_plan")?.plan,

    /** Sets a widget as the frontend does when a person has chosen a value. */
    turn(id, name, value) {
      const node = drive.node(id);
      const widget = drive.input(node, name);
      widget.value = value;
      widget.callback?.(value, app.canvas, node);
      drive.track();
    },

    /** Has the frontend look for what has changed, as it does at every mouse-up. */
    track() {
      const { changeTracker } = app.extensionManager.workflow.activeWorkflow;
      (changeTracker.captureCanvasState ?? changeTracker.checkState).call(changeTracker);
    },

    ids: (type) => app.graph.nodes.filter((node) => node.type === type).map((node) => node.id),

    /** What the links of a node lead to, by the names of its inputs, and from its first output. */
    wiring(id) {
      const { graph, inputs } = drive.node(id);
      const links = [...graph.links.values()];
      const isIt = (other) => String(other) === String(id);
      const end = (other, slot) => `${graph.getNodeById(other)?.type ?? other} ${slot}`;
      const into = links.filter((link) => isIt(link.target_id));
      const from = links.filter((link) => isIt(link.origin_id));
      return {
        into: Object.fromEntries(into.map((link) => [inputs[link.target_slot].name, end(link.origin_id, link.origin_slot)])),
        from: from.map((link) => end(link.target_id, link.target_slot)).sort(),
      };
    },

    /** Puts two reroutes, one after the other, on each link of a node. */
    addReroutes(id) {
      const { graph } = drive.node(id);
      for (const link of drive.linksOf(id)) for (const x of [0, 40]) graph.createReroute([x, 40 * link.id], link);
    },
    /** The reroutes on the links of a node, by its inputs and what it feeds; how many are in its graph, and loose ends. */
    reroutes(id) {
      const { graph, inputs } = drive.node(id);
      const above = (reroute) => (reroute === undefined ? [] : [...above(graph.reroutes.get(reroute).parentId), reroute]);
      const isInto = (link) => String(link.target_id) === String(id);
      const slot = (link) => (isInto(link) ? inputs[link.target_slot].name : `from ${link.target_id} ${link.target_slot}`);
      const found = drive.linksOf(id).map((link) => [slot(link), above(link.parentId)]);
      return { found: Object.fromEntries(found), all: graph.reroutes.size, loose: graph.floatingLinks.size };
    },
    linksOf(id) {
      const isIt = (other) => String(other) === String(id);
      return [...drive.node(id).graph.links.values()].filter((link) => isIt(link.target_id) || isIt(link.origin_id));
    },

    /** Has everything that a loader fed take the demo model, and a small picture. */
    loadDemo() {
      const demo = LiteGraph.createNode("CoTjDemoModel");
      app.graph.add(demo);
      for (const { origin_id, target_id, target_slot, type } of [...app.graph.links.values()]) {
        if (!app.graph.getNodeById(origin_id).type.includes("Loader")) continue;
        demo.connect(demo.outputs.findIndex((output) => output.type === type), app.graph.getNodeById(target_id), target_slot);
      }
      for (const node of app.graph.nodes)
        for (const widget of node.widgets ?? []) if (["width", "height"].includes(widget.name)) widget.value = 256;
    },

    /** How many pictures the last run of a node saved. */
    images: (type) => app.nodeOutputs[drive.ids(type)[0]]?.images?.length,

    lookAt(id, scale = 0.8) {
      const [x, y] = drive.node(id).pos;
      app.canvas.ds.scale = scale;
      app.canvas.ds.offset = [300 - x, 150 - y];
      app.canvas.setDirty(true, true);
    },

    nodePlace: (id) => drive.node(id) && [...drive.node(id).pos],

    mute(type, mode = 2) {
      for (const node of app.graph.nodes) if (node.type === type) node.mode = mode;
    },

    move(id, place) {
      drive.node(id).pos = place;
      app.canvas.setDirty(true, true);
    },

    resize(id, size) {
      drive.node(id).setSize(size);
      app.canvas.setDirty(true, true);
    },

    collapse(id) {
      drive.node(id).collapse();
      app.canvas.setDirty(true, true);
    },

    /** What the widget of a node shows; null where there is none. */
    state(id) {
      const plan = drive.plan(id);
      if (!plan) return null;
      const { box, canvas, picture, view } = plan;
      const text = (name) => box.querySelector(`.${name}`).textContent;
      const { x, y, width, height } = canvas.getBoundingClientRect();
      return {
        state: box.dataset.state,
        title: text("title"),
        detail: text("detail"),
        note: text("note"),
        reading: text("reading"),
        claims: view && { ...view.claims, costs: null },
        pixels: [canvas.width, canvas.height],
        size: [picture.clientWidth, picture.clientHeight],
        rect: [x, y, width, height],
        drawMs: Number(box.dataset.drawMs),
      };
    },

    /** The pictures that the widget of a node shows of runs; null where it shows none. */
    gallery(id) {
      const gallery = drive.plan(id)?.view?.gallery;
      const tile = ({ name, figure, missing, image, isStrong = false }) => {
        const done = Boolean(image?.complete);
        const [pictured, gone] = [done && image.naturalWidth > 0, done && image.naturalWidth === 0];
        return { name, figure, missing, isStrong, pictured, gone };
      };
      return gallery ? { ...gallery, tiles: gallery.tiles.map(tile) } : null;
    },

    /** How high the last row of a node in Nodes 2.0 is, and the text in it. */
    lastRow(id) {
      const row = [...document.querySelectorAll(`[data-node-id="${id}"] .lg-node-widget`)].at(-1);
      const texts = document.createTreeWalker(row, NodeFilter.SHOW_TEXT);
      const rects = [];
      const range = document.createRange();
      while (texts.nextNode()) {
        range.selectNodeContents(texts.currentNode);
        rects.push(...range.getClientRects());
      }
      const text = Math.max(...rects.map((rect) => rect.bottom)) - Math.min(...rects.map((rect) => rect.top));
      return [row.getBoundingClientRect().height, text];
    },

    /** The text that a run has left on a node. */
    textOf: (id) => drive.input(drive.node(id), "$$node-text-preview")?.value ?? "",

    /** Takes it away at the end of a run, as newer frontends do. */
    async takeTextAway(id) {
      const { api } = await import("/scripts/api.js");
      const { widgets } = drive.node(id);
      widgets.splice(widgets.indexOf(drive.input({ widgets }, "$$node-text-preview")), 1);
      api.dispatchCustomEvent("execution_success", { prompt_id: "" });
    },

    /** How many live widgets are seen on the page. */
    pictures: () => [...document.querySelectorAll(".cotj-plan")].filter((box) => box.clientWidth).length,

    /** The line below pictures side by side, as it is drawn in this width: {texts, lowest, height}. */
    async drawnVerdict(id, width, verdict) {
      const { drawTiles, heightOf } = await import("/extensions/comfyui-cotj/js/draw_tiles.js");
      const tile = { name: "", colour: "text", figure: "", image: null, missing: "" };
      const gallery = { tiles: [tile, tile], verdict, isStrong: true, isFaint: false };
      const height = heightOf(gallery, width);
      const context = new OffscreenCanvas(width, height).getContext("2d");
      const written = [];
      context.fillText = (text, x, y) => text && written.push({ text, y });
      drawTiles(context, drive.plan(id).theme, gallery, { x: 0, y: 0, w: width, h: height });
      return { texts: written.map(({ text }) => text), lowest: Math.max(...written.map(({ y }) => y)), height };
    },

    /** How many pixels of its picture have each colour, as #rrggbbaa. */
    colours(id) {
      const { canvas } = drive.plan(id);
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      const counts = {};
      for (let i = 0; i < data.length; i += 4) {
        const colour = "#" + [...data.slice(i, i + 4)].map((part) => part.toString(16).padStart(2, "0")).join("");
        counts[colour] = (counts[colour] ?? 0) + 1;
      }
      return counts;
    },

    /** Where the classic renderer draws a slider, in the page. */
    slider(id, name) {
      const { ds, canvas } = app.canvas;
      const node = drive.node(id);
      const { left, top } = canvas.getBoundingClientRect();
      const x = (node.pos[0] + 15 + ds.offset[0]) * ds.scale + left;
      const y = (node.pos[1] + drive.input(node, name).last_y + 2 + ds.offset[1]) * ds.scale + top;
      return { x, y, width: (node.size[0] - 30) * ds.scale, height: 16 * ds.scale };
    },

    /** Queues the graph, and sets a widget between the request and the answer to it. */
    async turnWhileQueueing(id, name, value) {
      const { api } = await import("/scripts/api.js");
      const fetchApi = api.fetchApi;
      api.fetchApi = function (route, ...rest) {
        const answer = fetchApi.call(this, route, ...rest);
        if (route === "/prompt") drive.input(drive.node(id), name).value = value;
        return answer;
      };
      await app.queuePrompt(0);
      api.fetchApi = fetchApi;
    },

    /** Makes a subgraph of these nodes; gives the id of its node. */
    /** Feeds widgets of a node, by name, by primitives of these values. */
    givePrimitives(id, values) {
      const node = drive.node(id);
      for (const [name, value] of Object.entries(values)) {
        const primitive = LiteGraph.createNode("PrimitiveNode");
        app.graph.add(primitive);
        primitive.connect(0, node, node.inputs.findIndex((input) => input.name === name));
        primitive.widgets[0].value = value;
      }
    },
    /** What primitives give a node, by the names of its widgets. */
    primitives(id) {
      const node = drive.node(id);
      const fed = node.inputs.map(({ name }, index) => [name, node.getInputNode(index)]);
      return Object.fromEntries(fed.filter(([, from]) => from?.type === "PrimitiveNode").map(([name, from]) => [name, from.widgets[0].value]));
    },
    adorn: (id, looks) => void Object.assign(drive.node(id), looks),
    adorned: (id, names) => Object.fromEntries(names.map((name) => [name, drive.node(id)[name]])),
    toSubgraph: (ids) => String(app.graph.convertToSubgraph(new Set(ids.map((id) => drive.node(id)))).node.id),

    intoSubgraph(ids) {
      drive.open(drive.toSubgraph(ids));
    },

    /** Shows what is in a subgraph, or the whole graph. */
    open(id) {
      const node = id && drive.node(id);
      if (node) app.canvas.openSubgraph(node.subgraph, node);
      else app.canvas.setGraph(drive.root());
    },

    subgraphs: () => app.graph.nodes.filter((node) => node.subgraph).map((node) => String(node.id)),

    remove(id) {
      const node = drive.node(id);
      node.graph.remove(node);
      drive.track();
    },

    /** Chooses an entry of the pack in the menu of a node; whether there is one. */
    choose(id, entry) {
      const pack = app.extensions.find(({ name }) => name === "cotj.plan");
      const found = pack.getNodeMenuItems(drive.node(id)).find(({ content }) => content === entry);
      found?.callback();
      return Boolean(found);
    },

    /** Contrast, as WCAG has it, of each colour of the theme with the ground. */
    contrasts(id) {
      const { theme } = drive.plan(id);
      const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
      const luminance = (colour) => {
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        const [r, g, b] = drive.linear(context.getImageData(0, 0, 1, 1).data);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
      };
      const contrast = (name) => {
        const [low, high] = [theme.ground, theme[name]].map(luminance).sort((a, b) => a - b);
        return (high + 0.05) / (low + 0.05);
      };
      return Object.fromEntries(["text", "faint", "planned", "compared"].map((name) => [name, contrast(name)]));
    },

    linear: (rgb) => Array.from(rgb, (c) => c / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)),

    /** OKLab lightness along the map of costs, on dark and on light ground. */
    async costLightness(count) {
      const { costColours } = await import("/extensions/comfyui-cotj/js/colours.js");
      const lightness = (abgr) => {
        const [r, g, b] = drive.linear([abgr & 255, (abgr >> 8) & 255, (abgr >> 16) & 255]);
        return (
          0.2104542553 * Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b) +
          0.793617785 * Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b) -
          0.0040720468 * Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b)
        );
      };
      return [true, false].map((dark) => [...costColours(dark, count)].map(lightness));
    },

    /** Median milliseconds to draw a plan anew and again, flushed. */
    async drawTimes(id) {
      const { draw } = await import("/extensions/comfyui-cotj/js/draw.js");
      const { view, theme } = drive.plan(id);
      const context = new OffscreenCanvas(720, 800).getContext("2d");
      const time = (cache) => {
        const start = performance.now();
        draw(context, { width: 360, height: 400, ratio: 2, view, theme, cache });
        context.getImageData(0, 0, 1, 1);
        return performance.now() - start;
      };
      const median = (makeCache) => Array.from({ length: 15 }, () => time(makeCache())).sort((a, b) => a - b)[7];
      const kept = {};
      return { anew: median(() => ({})), again: median(() => kept) };
    },

    async keepMany(count) {
      const { keep, recall } = await import("/extensions/comfyui-cotj/js/store.js");
      const ids = Array.from({ length: count }, (_, i) => keep({ i }));
      const kept = Object.keys(localStorage).filter((key) => key.startsWith("cotj.")).length;
      return { kept, last: recall(ids.at(-1)) };
    },

    forgetAll() {
      for (const key of Object.keys(localStorage)) if (key.startsWith("cotj.")) localStorage.removeItem(key);
    },
  };
  return drive;
})();
