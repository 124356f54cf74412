/* Styles, taken up by the bundler. */
declare module "*.css";
